"""Persistence-bootstrap: the newest demand, moved by changes that really happened.

A path is the present level plus the departures from the level of then over the next H steps at a moment of the past, on
one of two scales: asinh (additive near zero, multiplicative when busy: demand whose bursts multiply it) or square root
(demand whose noise is that of counts). The level is the last measured row, or, where single rows are noisy, an
exponential mean of the newest ones. Whole trajectories of all three indicators are taken at once, so dependence over
time and between indicators is that of the data.

What is NOT promised: mean reversion. Without smoothing, a last row that is noise moves the whole forecast.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from foretide.forecaster.past import Past, whole_blocks
from foretide.forecaster.tier import blocks, spread_picks
from foretide.policies.flow import Floats

CARRIED = 0.5
"""Part of a change that goes on into the next one, where short changes are chained: so young a past does not show what
of its changes was noise, and to carry all of it on was worse."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A monotone map of demand in its units to the scale on which changes are alike, and its inverse from zero up."""

    bent: Callable[[Floats], Floats]
    straight: Callable[[Floats], Floats]
    farthest: float
    """Chained changes stop here: far above every ceiling, far below an overflow."""


MULTIPLIED = Scale(bent=np.arcsinh, straight=np.sinh, farthest=50.0)
COUNTED = Scale(bent=np.sqrt, straight=np.square, farthest=1e10)


@dataclass(frozen=True, slots=True)
class PersistenceBootstrap:
    memory: int = 1440
    """Newest rows from which changes are taken."""
    smoothing: float = 1.0
    """Weight of the newest row in the level; 1 = the last row alone."""
    scale: Scale = MULTIPLIED
    name: str = "persistence-bootstrap"

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
        """Joint paths (count, horizon, 3); None with fewer than two measured rows close enough together.

        Where the past is shorter than three horizons, shorter changes are chained, each drawn anew.
        """
        rows, age = self.scale.bent(past.filled[-self.memory :] / past.unit), past.age
        levels = smoothed(rows, self.smoothing)
        length = max(1, min(horizon, (len(rows) - age) // 3))
        changes: list[Floats] = []
        while sum(part.shape[1] for part in changes) < horizon:
            lag = age if not changes else 0
            starts = whole_blocks(rows, lag + length + 1)
            if not len(starts):
                return None
            picks = spread_picks(starts, count, rng)
            part = blocks(rows, picks + lag + 1, length) - levels[picks][:, None]
            changes.append(part + CARRIED * changes[-1][:, -1:] if changes else part)
        moved = levels[-1 - age] + np.concatenate(changes, axis=1)[:, :horizon]
        moved = np.clip(moved, 0.0, self.scale.farthest)
        return np.asarray(self.scale.straight(moved) * past.unit, dtype=np.float64)


def smoothed(rows: Floats, weight: float) -> Floats:
    """Exponential mean of the rows up to each (T, 3); gaps carry it on, leading ones stay NaN."""
    if weight >= 1.0:
        return rows
    levels = np.empty_like(rows)
    measured = np.asarray(np.isfinite(rows).all(axis=1)).tolist()
    for column in range(rows.shape[1]):
        levels[:, column] = _means(rows[:, column].tolist(), measured, weight)
    return levels


def _means(values: list[float], measured: list[bool], weight: float) -> list[float]:
    """The recursion for one indicator, in plain floats: faster than rows of numpy, and the same to the last bit."""
    level, levels = float("nan"), []
    for value, known in zip(values, measured, strict=True):
        if known:
            level = level + weight * (value - level) if level == level else value  # noqa: PLR0124
        levels.append(level)
    return levels
