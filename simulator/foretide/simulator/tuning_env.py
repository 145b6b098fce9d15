"""The tuner's world with Gymnasium's interface, for whoever wants to train on it. Simulated; works without Gymnasium.

One step is one window (30 s) of one replica.

- State, float32 (10,): limit [requests]; requests there, time-weighted [requests]; share of the KV cache in use;
  admitted, refused, ended, good [requests/s each]; mean prompt and mean output of late [tokens], and whether these two
  are known (1 or 0).
- Action: index into `limits`, by default every multiple of a tenth above the one before it [requests].
- Reward: goodput, requests within TTFT and TPOT per GPU-second [1/s].

Where Gymnasium is installed (extra `tuner`), `gymnasium.make("foretide/Concurrency-v0", scenario=NAME)` gives it.
What is NOT promised: a Markov state. Requests that run belong to limits before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretide.policies.concurrency.limit_rule import KNATIVE_DEFAULT
from foretide.policies.concurrency.notches import RATIO
from foretide.policies.concurrency.window import Bounds, Window
from foretide.simulator.tuned import Setup, TunedReplica
from foretide.simulator.tuning_setups import setups

State = NDArray[np.float32]
FIELDS = 10


@dataclass(frozen=True, slots=True)
class Box:
    """Stands in for gymnasium.spaces.Box: any value from 0 on."""

    shape: tuple[int, ...]

    def contains(self, value: State) -> bool:
        return value.shape == self.shape and bool((value >= 0).all())


@dataclass(frozen=True, slots=True)
class Discrete:
    """Stands in for gymnasium.spaces.Discrete: 0 .. n - 1."""

    n: int

    def contains(self, value: int) -> bool:
        return 0 <= value < self.n


class ConcurrencyEnv:
    """One episode is all windows of a setup. Raises KeyError for a scenario that there is not."""

    def __init__(
        self, *, scenario: str = "gateway-day-night", setup: Setup | None = None, limits: Sequence[int] | None = None
    ) -> None:
        self.setup = setup or setups()[scenario]
        self.limits = tuple(limits or grid(self.setup.bounds))
        self.observation_space: Any = Box((FIELDS,))
        self.action_space: Any = Discrete(len(self.limits))
        self._seed = 0
        self._replica: TunedReplica | None = None
        self._lengths: tuple[float, float] | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[State, dict[str, Any]]:  # noqa: ARG002 (Gymnasium's signature)
        """A new episode, after a first window at the limit nearest to Knative's default; without a seed, the next."""
        self._seed = self._seed + 1 if seed is None else seed
        self._replica, self._lengths = TunedReplica(self.setup, seed=self._seed), None
        first = min(self.limits, key=lambda limit: abs(limit - KNATIVE_DEFAULT))
        seen = self._replica.run(first)
        return self._state(seen), {"window": seen}

    def step(self, action: int) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """State, reward, terminated (never), truncated (after the last window), and the whole window."""
        if self._replica is None:
            raise RuntimeError("step: before reset: call reset first")
        seen = self._replica.run(self.limits[int(action)])
        ended = self._replica.window >= self.setup.windows
        return self._state(seen), seen.goodput, False, ended, {"window": seen}

    def close(self) -> None:
        """There is nothing to close."""

    def _state(self, seen: Window) -> State:
        if isfinite(seen.prompt_tokens):
            self._lengths = seen.prompt_tokens, seen.output_tokens
        prompt, output = self._lengths or (0.0, 0.0)
        counts = (seen.admitted, seen.refused, seen.ended, seen.good)
        rates = [count / seen.seconds for count in counts]
        known = float(self._lengths is not None)
        return np.array([seen.limit, seen.busy, seen.kv_share, *rates, prompt, output, known], dtype=np.float32)


class EnvBatch:
    """Episodes of several seeds side by side; their windows are run one after the other, in one process."""

    def __init__(
        self, *, seeds: Sequence[int], scenario: str = "gateway-day-night", setup: Setup | None = None
    ) -> None:
        self._seeds = tuple(seeds)
        self.envs = tuple(ConcurrencyEnv(scenario=scenario, setup=setup) for _ in self._seeds)

    def reset(self) -> State:
        """(seeds, 10)"""
        return np.stack([env.reset(seed=seed)[0] for env, seed in zip(self.envs, self._seeds, strict=True)])

    def step(self, actions: Sequence[int]) -> tuple[State, NDArray[np.float64], bool]:
        """States (seeds, 10), rewards (seeds,), and whether the episodes, which are of one length, are over."""
        steps = [env.step(action) for env, action in zip(self.envs, actions, strict=True)]
        return np.stack([step[0] for step in steps]), np.array([step[1] for step in steps]), steps[0][3]


def grid(bounds: Bounds) -> list[int]:
    """Whole limits from the least to the most, each about a tenth above the one before it."""
    limits = [bounds.least]
    while limits[-1] < bounds.most:
        limits.append(min(bounds.most, max(limits[-1] + 1, round(limits[-1] * RATIO))))
    return limits


def gymnasium_env(**settings: Any) -> Any:
    """The environment as a `gymnasium.Env` with Gymnasium's own spaces; needs the extra `tuner`."""
    import gymnasium

    class Concurrency(ConcurrencyEnv, gymnasium.Env):  # type: ignore[misc]
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.observation_space = gymnasium.spaces.Box(0.0, np.inf, (FIELDS,), np.float32)
            self.action_space = gymnasium.spaces.Discrete(len(self.limits))

        def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[State, dict[str, Any]]:
            gymnasium.Env.reset(self, seed=seed)
            return ConcurrencyEnv.reset(self, seed=seed, options=options)

    return Concurrency(**settings)
