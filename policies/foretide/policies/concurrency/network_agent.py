"""An agent whose proposals come from a trained network: what the network is shown, and what its scores mean.

Shown is nothing absolute: limits are notches of n*, rates are shares of what is expected of a full batch at n*, so that
a network may meet deployments and lengths that it was not trained on. Its scores are one for each notch; the highest
is taken, so that the same windows give the same limits.

What is NOT promised: anything about a network. It is asked behind the shield; without lengths n* is proposed.
"""

from collections.abc import Mapping
from math import isfinite, log2
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.notches import REACH, at_notch, notch_of
from foretide.policies.concurrency.window import Bounds, State, Window

Numbers = NDArray[np.floating[Any]]
NOTCHES = tuple(range(-REACH, REACH + 1))
"""What the scores are of."""
FRAMES = 2
"""Newest windows that are shown, the last one first; the oldest stands in where there are fewer."""
OF_A_WINDOW = ("notch", "in_use", "refused", "attained", "good_rate", "ended_rate")
OF_LENGTHS = ("prompt", "output", "best")
FEATURES = (*(f"{name}_{frame}" for frame in range(FRAMES) for name in OF_A_WINDOW), *OF_LENGTHS)
"""Names of what is shown, in order."""
USUAL_PROMPT, USUAL_OUTPUT, USUAL_BEST = 1000.0, 200.0, 64.0


class Scores(Protocol):
    """A network: (len(FEATURES),) float32 -> (len(NOTCHES),)."""

    def __call__(self, features: Numbers) -> Numbers: ...


class Frame(NamedTuple):
    """One window as it is remembered, before n* is known. Rates are requests/s."""

    limit: float
    in_use: float
    """Share of the limit."""
    refused: float
    """Share of those that came."""
    attained: float
    good: float
    ended: float


def frame_of(seen: Window) -> Frame:
    """Nothing asked counts as everything attained."""
    asked = seen.admitted + seen.refused
    return Frame(
        float(seen.limit),
        min(2.0, seen.busy / seen.limit),
        seen.refused / asked if asked else 0.0,
        1.0 if seen.attainment is None else seen.attainment,
        seen.good / seen.seconds,
        seen.ended / seen.seconds,
    )


def features(frames: tuple[Frame, ...], rule: Rule) -> Numbers | None:
    """What the network is shown, (len(FEATURES),); None until lengths are known."""
    expected, lengths = rule.expected(), rule.lengths
    if not frames or expected is None or lengths is None or not expected > 0:
        return None
    best = rule.unbounded
    rows = [frames[min(place, len(frames) - 1)] for place in range(FRAMES)]
    shown = [value for row in rows for value in _relative(row, best=best, expected=expected)]
    sizes = ((lengths.prompt, USUAL_PROMPT), (lengths.output, USUAL_OUTPUT), (best, USUAL_BEST))
    shown += [log2(max(1.0, size) / usual) / 4.0 for size, usual in sizes]
    return np.array(shown, dtype=np.float32)


def relative(seen: Window, rule: Rule) -> float:
    """Goodput over the rate expected of a full batch at n*: what a network is rewarded with; 0 while unknown."""
    expected = rule.expected()
    found = seen.good / seen.seconds / expected if expected else 0.0
    return found if isfinite(found) else 0.0


class NetworkAgent:
    """It does not learn while it serves: what it remembers are the last windows of the fleet."""

    def __init__(self, scores: Scores, rule: Rule, *, bounds: Bounds) -> None:
        self.name = "network"
        self._scores, self._rule, self._bounds = scores, rule, bounds
        self._frames: tuple[Frame, ...] = ()

    def act(self, seen: Window | None) -> int:
        self._rule.act(seen)
        if seen is not None:
            self._frames = (frame_of(seen), *self._frames)[:FRAMES]
        shown, best = features(self._frames, self._rule), self._rule.unbounded
        if shown is None:
            return self._bounds.clip(best)
        scores = np.asarray(self._scores(shown), dtype=np.float64)
        if scores.shape != (len(NOTCHES),) or not np.isfinite(scores).all():
            return self._bounds.clip(best)
        return self._bounds.clip(at_notch(best, NOTCHES[int(np.argmax(scores))]))

    def learn(self, outcome: Window) -> None:
        """There is nothing to learn: it was trained before."""

    def state(self) -> State:
        return {"frames": [list(frame) for frame in self._frames], "rule": dict(self._rule.state())}

    def restore(self, state: State) -> None:
        frames, rule = state["frames"], state["rule"]
        assert isinstance(frames, list)
        assert isinstance(rule, Mapping)
        self._frames = tuple(Frame(*(float(value) for value in row)) for row in frames)
        self._rule.restore(rule)


def _relative(row: Frame, *, best: float, expected: float) -> tuple[float, ...]:
    notch = min(2.0, max(-2.0, notch_of(row.limit, best) / REACH))
    rates = (min(3.0, rate / expected) for rate in (row.good, row.ended))
    return notch, row.in_use, row.refused, row.attained, *rates
