"""Online recalibration of the pool: the ranks at which outcomes fell move the paths, and their order stays.

If outcomes fell below the forecast's 10 % quantile one time in twenty, the 10 % quantile should have been lower. Two
things learn from that, per (step group, indicator): the distribution G of the ranks of matured outcomes, to whose
inverse a path at rank p is moved part of the way (Kuleshov et al. 2018, section 3; Gneiting and Ranjan 2013 for why a
linear pool needs it); and the spread on either side of the median, which is stretched until the served quantiles cover
as they claim, whatever the demand does (see `conformal`). The map is monotone at every step, so paths keep their order
and with it the dependence over time and between the indicators.

What is NOT promised: coverage at any single time. The map follows with the delay of the horizon and averages over its
memory. Until something has matured it is the identity.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from foretide.forecaster.conformal import AdaptiveStretch
from foretide.forecaster.ranks import values_at
from foretide.policies.flow import Floats

TRUSTED = 0.2
"""How far the map follows G, with a full memory: four fifths of the way stay with the identity."""
DOUBT = 20.0
"""Matured origins that weigh as much as the identity does."""
LOWER, UPPER = (0.025, 0.1), (0.9, 0.975)
"""Quantiles of every margin that are held."""


@dataclass(slots=True)
class Remap:
    """Ranks of matured outcomes by step group, with forgetting. Steps 1, 2-3, 4-7, 8-15, ... are one group each."""

    memory: int = 300
    """Matured origins that are remembered."""
    trusted: float = TRUSTED
    _ranks: dict[int, deque[Floats]] = field(default_factory=dict, repr=False)
    """By group, newest last: extended ranks (steps of the group, N) of one origin each, among the pool's paths."""
    _sides: dict[tuple[int, int], tuple[AdaptiveStretch, AdaptiveStretch]] = field(default_factory=dict, repr=False)
    """Below and above the median, by group and indicator."""

    def add(self, *, pooled: Floats, served: Floats, gain: float) -> None:
        """Enters an outcome's extended ranks (H, N) among the pool's paths and the served ones; NaN where missing."""
        for group, steps in groups(len(pooled)):
            if not np.isfinite(pooled[steps]).any():
                continue
            kept = self._ranks.setdefault(group, deque(maxlen=self.memory))
            kept.append(np.asarray(pooled[steps], dtype=np.float32))
            for column in range(pooled.shape[1]):
                self._correct(group, column, served[steps, column], gain)

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
                moved[:, steps, column] = self._moved(group, column, ascending[:, steps, column], even)
        result = np.empty_like(paths)
        np.put_along_axis(result, order, moved, axis=0)
        return result

    def _correct(self, group: int, column: int, ranks: Floats, gain: float) -> None:
        """Stretches by the share of the group's measured steps that lay beyond each served quantile."""
        known = ranks[np.isfinite(ranks)]
        if not len(known):
            return
        fresh = (AdaptiveStretch(LOWER), AdaptiveStretch(UPPER))
        for side in self._sides.setdefault((group, column), fresh):
            side.add(side.beyond(known, logs=side.logs).mean(axis=0), gain=gain)

    def _moved(self, group: int, column: int, ascending: Floats, even: Floats) -> Floats:
        """Ascending paths (K, steps) at their calibrated values; as they are before anything matured."""
        target = self._target(group, column, even)
        sides = self._sides.get((group, column))
        if target is None or sides is None:
            return ascending
        middle = values_at(ascending, np.array([np.interp(0.5, even, target)]))
        factors = np.where(even < 0.5, sides[0].factors(even), sides[1].factors(even))[:, None]
        stretched = middle + factors * (values_at(ascending, target) - middle)
        above = np.maximum.accumulate(np.maximum(stretched[len(even) // 2 :], middle), axis=0)
        below = np.minimum.accumulate(np.minimum(stretched[: len(even) // 2], middle)[::-1], axis=0)[::-1]
        return np.concatenate([below, above])

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
