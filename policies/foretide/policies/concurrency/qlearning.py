"""Tabular Q-learning of the limit, as Schuler, Jamil and Kühl describe it for Knative (arXiv 2005.14410, CCGrid 2021).

What is known of it at first hand: tabular Q-learning tunes the per-instance concurrency limit of Knative's autoscaler.
Known at second hand only, and so marked below [2nd]: the state, the actions, the range and the constants. Changed on
purpose: the reward is goodput per GPU-second over that of the first window, where the paper is said to add throughput
and latency, each relative to a reference; and a GPU replica's "CPU" is the share of its limit that is in use, its
"memory" that of the KV cache.

What is NOT promised: that the paper's own figures come out. Its application, traffic and cluster are not simulated.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from foretide.policies.concurrency.limit_rule import KNATIVE_DEFAULT
from foretide.policies.concurrency.window import Bounds, State, Window

PUBLISHED_BOUNDS = Bounds(10, 310)
"""[2nd]"""
BINS = 5
"""Levels of either utilisation; ours, as how the paper cuts them is not known to us."""


@dataclass(frozen=True, slots=True)
class Learning:
    """Constants of the table, each [2nd]."""

    step: int = 20
    """Requests by which an action moves the limit, down or up."""
    rate: float = 0.5
    """alpha"""
    discount: float = 0.9
    """gamma"""
    exploring: float = 0.1
    """epsilon: share of actions drawn by chance."""


class QLearning:
    """State: (limit, share of it in use, share of the KV cache in use). Actions: down, stay, up."""

    def __init__(self, *, seed: int, bounds: Bounds = PUBLISHED_BOUNDS, learning: Learning | None = None) -> None:
        self.name = "qlearning"
        self._seed, self._bounds, self._learning = seed, bounds, learning or Learning()
        self._values: dict[str, list[float]] = {}
        self._moves = 0
        self._limit = bounds.clip(KNATIVE_DEFAULT)
        self._last: tuple[str, int] | None = None
        self._reference: float | None = None

    def act(self, seen: Window | None) -> int:
        if seen is None:
            return self._limit
        place = self._place(seen)
        action = self._choose(place)
        self._last = (place, action)
        self._limit = self._bounds.clip(seen.limit + (action - 1) * self._learning.step)
        return self._limit

    def learn(self, outcome: Window) -> None:
        """Q(s, a) += alpha (r + gamma max Q(s', .) - Q(s, a)). Without a request within its thresholds yet, r = 0."""
        self._reference = self._reference or outcome.goodput or None
        if self._last is None:
            return
        reward = outcome.goodput / self._reference if self._reference else 0.0
        (place, action), learning = self._last, self._learning
        row = self._row(place)
        ahead = reward + learning.discount * max(self._row(self._place(outcome)))
        row[action] += learning.rate * (ahead - row[action])

    def state(self) -> State:
        return {
            "values": {place: list(row) for place, row in self._values.items()},
            "moves": self._moves,
            "limit": self._limit,
            "last": None if self._last is None else list(self._last),
            "reference": self._reference,
        }

    def restore(self, state: State) -> None:
        values, last, reference = state["values"], state["last"], state["reference"]
        assert isinstance(values, Mapping)
        self._values = {str(place): [float(value) for value in row] for place, row in values.items()}
        self._moves, self._limit = int(str(state["moves"])), int(str(state["limit"]))
        self._last = (str(last[0]), int(last[1])) if isinstance(last, list) else None
        self._reference = None if reference is None else float(str(reference))

    def _choose(self, place: str) -> int:
        """Draws depend on the seed and on how many moves there were, so that nothing else need be kept."""
        rng = np.random.default_rng((self._seed, self._moves))
        self._moves += 1
        if rng.random() < self._learning.exploring:
            return int(rng.integers(3))
        row = self._row(place)
        best = [action for action, value in enumerate(row) if value == max(row)]
        return int(rng.choice(best))

    def _row(self, place: str) -> list[float]:
        return self._values.setdefault(place, [0.0, 0.0, 0.0])

    def _place(self, seen: Window) -> str:
        busy, memory = (min(BINS - 1, int(BINS * share)) for share in (seen.busy / seen.limit, seen.kv_share))
        return f"{seen.limit}/{busy}/{memory}"
