"""What the simple rules share: rows without gaps, stretches drawn from them, and paths that demand could take.

Every rule here is a function of the rows before an origin alone: gaps are filled from the row before, never from after.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, default_rng

from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

DAY_S, WEEK_S = 86400.0, 7 * 86400.0

Drawn = Callable[[Floats, int, int, Generator], Floats]
"""(rows (T, N) up to the origin, horizon, count, noise) -> paths (count, horizon, N)."""


def filled(values: Floats) -> Floats:
    """Gaps repeat the row before them (T, N); leading ones are zero, nothing being known."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isfinite(values), rows, -1), axis=0)
    taken = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.asarray(np.where(last >= 0, taken, 0.0), dtype=np.float64)


def not_below(paths: Floats, series: Series) -> Floats:
    """Paths cut at zero where the series never was below it."""
    return paths if (series.values < 0).any() else np.maximum(paths, 0.0)


def season_rows(series: Series, season_s: float = DAY_S) -> int:
    """Rows in a season, at least one."""
    return max(1, round(season_s / series.step_s))


def picked(low: int, high: int, count: int, rng: Generator) -> Indices:
    """`count` of the rows low..high - 1, spread evenly and shuffled: less noise than drawing each alone."""
    places = low + (np.arange(count) + rng.random()) * (high - low) / count
    return rng.permutation(np.clip(places.astype(np.int64), low, max(low, high - 1)))


def stretches(rows: Floats, starts: Indices, length: int) -> Floats:
    """`length` rows from each start (count, length, N)."""
    return np.asarray(rows[starts[:, None] + np.arange(length)], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Rolling:
    """A rule with nothing to learn, on the newest `memory` rows."""

    rule: Drawn
    memory: int

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N) of filled rows; not below zero where no row before the origin was."""
        rows = filled(series.values)
        lowest = np.minimum.accumulate(rows, axis=0)
        drawn = np.empty((len(origins), count, horizon, rows.shape[1]))
        for place, origin in enumerate(origins.tolist()):
            begin = max(0, origin - self.memory)
            paths = self.rule(rows[begin:origin], horizon, count, default_rng([abs(seed), origin]))
            drawn[place] = np.maximum(paths, np.where(lowest[origin - 1] >= 0, 0.0, -np.inf))
        return drawn
