"""Online recalibration of the pool: the ranks at which outcomes fell move the paths, and their order stays.

If outcomes fell below the forecast's 10 % quantile one time in twenty, the 10 % quantile should have been lower. Ranks
of matured outcomes give the distribution G of the probability integral transform per (step group, indicator); each path
at rank p moves to the value at rank G^-1(p) (Kuleshov et al. 2018, section 3; Gneiting and Ranjan 2013 for why a linear
pool needs it). The map is monotone at every step, so paths keep their order and with it the dependence over time and
between the indicators.

What is NOT promised: coverage at any single time. The map follows with the delay of the horizon and averages over its
memory. Until something has matured it is the identity.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from foretide.forecaster.ranks import values_at
from foretide.policies.flow import Floats

TRUSTED = 0.8
"""Most that the map may leave the identity, with a full memory (forecasting research: a fifth stays)."""
DOUBT = 20.0
"""Matured origins that weigh as much as the identity does."""


@dataclass(slots=True)
class Remap:
    """Ranks of matured outcomes by step group, with forgetting. Steps 1, 2-3, 4-7, 8-15, ... are one group each."""

    memory: int = 300
    """Matured origins that are remembered."""
    trusted: float = TRUSTED
    _ranks: dict[int, deque[Floats]] = field(default_factory=dict, repr=False)
    """By group, newest last: extended ranks (steps of the group, N) of one origin each."""

    def add(self, ranks: Floats) -> None:
        """Enters the extended ranks (H, N) of one matured origin; NaN where nothing was measured."""
        for group, steps in groups(len(ranks)):
            kept = self._ranks.setdefault(group, deque(maxlen=self.memory))
            if np.isfinite(ranks[steps]).any():
                kept.append(np.asarray(ranks[steps], dtype=np.float32))

    def forget(self, *, keep: int) -> None:
        """Drops all but the newest `keep` origins: what came before a break says nothing about what comes after."""
        for group, kept in self._ranks.items():
            self._ranks[group] = deque(list(kept)[len(kept) - min(keep, len(kept)) :], maxlen=self.memory)

    def applied(self, paths: Floats) -> Floats:
        """The paths (K, H, N) at their calibrated values; the order of paths at each step and indicator stays."""
        order = np.argsort(paths, axis=0, kind="stable")
        ascending = np.take_along_axis(paths, order, axis=0)
        even = (np.arange(len(paths)) + 0.5) / len(paths)
        moved = ascending.copy()
        for group, steps in groups(paths.shape[1]):
            for column in range(paths.shape[2]):
                target = self._target(group, column, even)
                if target is not None:
                    moved[:, steps, column] = values_at(ascending[:, steps, column], target)
        result = np.empty_like(paths)
        np.put_along_axis(result, order, moved, axis=0)
        return result

    def _target(self, group: int, column: int, even: Floats) -> Floats | None:
        """Where each rank goes, ascending; None before anything matured."""
        kept = self._ranks.get(group)
        if not kept:
            return None
        seen = np.concatenate([ranks[:, column] for ranks in kept])
        seen = seen[np.isfinite(seen)]
        if not len(seen):
            return None
        weight = self.trusted * len(kept) / (len(kept) + DOUBT)
        return np.asarray(even + weight * (np.quantile(seen, even) - even), dtype=np.float64)


def groups(horizon: int) -> list[tuple[int, slice]]:
    """Step groups of a horizon as (number, slice of steps): group g has steps 2^g to 2^(g + 1) - 1, counted from 1."""
    count = int(np.log2(horizon)) + 1
    return [(group, slice(2**group - 1, min(2 ** (group + 1) - 1, horizon))) for group in range(count)]
