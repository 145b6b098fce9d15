"""Agents that the shield has to bear: one that acts at random, and some that mean harm. Fixed extremes are `Fixed`.

What is NOT promised: the worst agent that there could be.
"""

import numpy as np

from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.window import Bounds, State, Window


class Chance:
    """Any limit within bounds, anew for every window."""

    def __init__(self, bounds: Bounds, *, seed: int) -> None:
        self.name = "random"
        self._bounds, self._seed, self._count = bounds, seed, 0

    def act(self, seen: Window | None) -> int:  # noqa: ARG002 (it looks at nothing)
        self._count += 1
        rng = np.random.default_rng((self._seed, self._count))
        return int(rng.integers(self._bounds.least, self._bounds.most + 1))

    def learn(self, outcome: Window) -> None:
        """It does not."""

    def state(self) -> State:
        return {"count": self._count}

    def restore(self, state: State) -> None:
        self._count = int(str(state["count"]))


class Flatterer:
    """Proposes what is likely to be adopted for `patience` windows, then the worst it can name, and again."""

    def __init__(self, rule: Rule, bounds: Bounds, *, patience: int = 20) -> None:
        self.name = "flatterer"
        self._rule, self._bounds, self._patience, self._count = rule, bounds, patience, 0

    def act(self, seen: Window | None) -> int:
        self._rule.act(seen)
        self._count += 1
        if self._count // self._patience % 2 == 0:
            return self._bounds.clip(0.8 * self._rule.unbounded)
        return self._bounds.most

    def learn(self, outcome: Window) -> None:
        """It knows already."""

    def state(self) -> State:
        return {"count": self._count, "rule": dict(self._rule.state())}

    def restore(self, state: State) -> None:
        self._count = int(str(state["count"]))
        rule = state["rule"]
        assert isinstance(rule, dict)
        self._rule.restore(rule)
