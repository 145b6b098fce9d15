"""The tuner's world as a network is trained on it: actions are notches of n*, states what `network_agent` shows.

Each episode is a set-up drawn anew around the development set-ups: their traffic at other rates, lengths, promises and
engine speeds. The reported set-ups are never drawn. One step is one window of one replica; the reward is goodput over
the rate expected of a full batch at n*. Works without Gymnasium.

What is NOT promised: a Markov state. Requests that run belong to limits before.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.network_agent import (
    FRAMES,
    NOTCHES,
    Frame,
    Numbers,
    features,
    frame_of,
    relative,
)
from foretide.policies.concurrency.notches import at_notch
from foretide.simulator.tuned import Setup, TunedReplica, step_model
from foretide.simulator.tuning_setups import DEVELOPMENT, setups

EPISODE = 64
BLIND = 8
"""Windows at most until lengths are known; they are no steps."""


class RelativeEnv:
    """`draw` makes the set-up of an episode. `reset` gives a state, (len(FEATURES),)."""

    def __init__(self, draw: Callable[[Generator], Setup] | None = None, *, seed: int = 0) -> None:
        self._draw, self._rng = draw or drawn, np.random.default_rng((seed, 31))

    def reset(self, *, seed: int | None = None) -> Numbers:
        """A new episode at n*; with a seed the draws begin anew."""
        if seed is not None:
            self._rng = np.random.default_rng((seed, 31))
        while True:
            self.setup = self._draw(self._rng)
            self.replica = TunedReplica(self.setup, seed=int(self._rng.integers(2**31)))
            self.rule = rule_of(self.setup)
            self._frames: tuple[Frame, ...] = ()
            for _ in range(BLIND):
                shown = self._run(self.rule.unbounded)[0]
                if shown is not None:
                    return shown

    def step(self, action: int) -> tuple[Numbers, float, bool]:
        """State, reward, and whether the episode is over."""
        shown, reward = self._run(at_notch(self.rule.unbounded, NOTCHES[int(action)]))
        assert shown is not None
        return shown, reward, self.replica.window >= self.setup.windows

    def _run(self, limit: float) -> tuple[Numbers | None, float]:
        seen = self.replica.run(self.setup.bounds.clip(limit))
        reward = relative(seen, self.rule)
        self.rule.act(seen)
        self._frames = (frame_of(seen), *self._frames)[:FRAMES]
        return features(self._frames, self.rule), reward


def rule_of(setup: Setup) -> Rule:
    return Rule(step_model(setup.deployment), tpot_s=setup.tpot_s, bounds=setup.bounds)


def drawn(rng: Generator) -> Setup:
    """A set-up around a development one, of `EPISODE` windows, with a day of as many."""
    base = setups()[DEVELOPMENT[int(rng.integers(len(DEVELOPMENT)))]]
    rate, drift = float(rng.uniform(0.5, 1.3)), base.drift
    changes: dict[str, Any] = {
        "day_rps": drift.day_rps * rate,
        "night_rps": drift.night_rps * rate,
        "day_windows": EPISODE,
        "begins_at": float(rng.uniform()),
        "output_factor": float(rng.choice([0.7, 1.0, 1.5, 2.0, 3.0])),
        "shift_at": int(rng.integers(EPISODE)),
    }
    objective = base.objective
    assert objective.tpot is not None
    tpot = replace(objective.tpot, threshold_s=float(rng.uniform(0.035, 0.07)))
    return replace(
        base,
        drift=replace(drift, **changes),
        objective=replace(objective, tpot=tpot),
        deployment=replace(base.deployment, speed_factor=float(rng.uniform(0.8, 1.5))),
        utilization=None if base.utilization is None else float(rng.uniform(0.55, 0.9)),
        windows=EPISODE,
    )
