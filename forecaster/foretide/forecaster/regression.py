"""Regression: where demand went, on average, from a state like today's, plus a run of misses that really happened.

On a square-root scale, which evens out the spread of counts, each step ahead is regressed on the differences between
moving averages of several lengths: how far demand is from where it usually is, and where it is going. The time of day
joins once there is more than a season. A path is that mean plus the whole run of misses at a moment of the past whose
level was like today's, so dependence over time and between the indicators is that of the data. Windows overlap, so the
ridge penalty grows with the horizon, and misses are widened by the number of whole horizons that were learned from.

What is NOT promised: levels that were never seen; there the mean is a straight line continued.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from foretide.forecaster.past import Indices, Past, whole_blocks
from foretide.forecaster.tier import blocks, spread_picks
from foretide.policies.flow import Floats

LEVEL = 10
"""Rows whose mean is the level that everything is told from."""
WINDOWS = (1, 3, 30, 100, 300)
"""Rows of the moving averages whose distance from the level explains what comes."""
HARMONICS = 2
"""Waves per season of the time of day: one and two."""
SEASONS = 1.6
"""Seasons of history before the time of day is believed."""
FITTED = 4000
"""Most origins that a fit learns from; more are thinned out evenly, for they overlap."""
RIDGE, RIDGE_BY_STEP = 7.0, 3.0
"""Origins that each coefficient's doubt weighs as much as, and those added for each step of the horizon."""
NEAR, FEWEST = 0.25, 200
"""Share of the past moments whose misses are drawn, those nearest in level, and the least number of them."""
WIDEST = 2.0
"""Largest factor on the misses' variance."""
NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """What was learned at `end`: of each feature its coefficients (F, H, 3), on the scale of `unit` (3,)."""

    end: float
    step: float
    unit: Floats
    coefficients: Floats
    clock: bool
    widened: float


@dataclass(frozen=True, slots=True, eq=False)
class _Averages:
    """Running sums (T + 1, 3) of the rows on the square-root scale, and of how many were known."""

    rows: Floats
    total: Floats
    known: Floats

    def over(self, window: int, at: Indices) -> Floats:
        """Means (len(at), 3) of the known ones of the `window` rows up to each row, of which itself must be known."""
        low, high = np.maximum(at + 1 - window, 0), at + 1
        return np.asarray((self.total[high] - self.total[low]) / np.maximum(self.known[high] - self.known[low], 1.0))


@dataclass(slots=True)
class Regression:
    """The tier, with the coefficients of its last fit."""

    season_s: float = 86400.0
    memory: int = 11520
    needed: int = 90
    """Whole stretches of the past before it speaks."""
    refit_rows: int = 30
    name: str = "regression"
    _fit: _Fit | None = field(default=None, repr=False)

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
        """Joint paths (count, horizon, 3); None with fewer than `needed` stretches, or behind a long gap."""
        rows = past.filled[-self.memory :]
        starts = whole_blocks(rows, horizon + 1)
        if len(starts) < self.needed or not np.isfinite(rows[-1]).all():
            return None
        fit = self._fit = self._usable(past, horizon) or self._fitted(past, rows, starts, horizon)
        seen = _averages(rows, fit.unit)
        now = np.array([len(rows) - 1], dtype=np.int64)
        picks = spread_picks(_alike(seen, starts, now), count, rng)
        centre = self._mean(fit, seen, now, past)
        misses = blocks(seen.rows, picks + 1, horizon) - self._mean(fit, seen, picks, past)
        drawn = np.maximum(centre + fit.widened * misses, 0.0)
        return np.asarray(drawn**2 * fit.unit, dtype=np.float64)

    def _usable(self, past: Past, horizon: int) -> _Fit | None:
        """The last fit, unless it is old or of another grid."""
        fit = self._fit
        if fit is None or fit.step != past.step or fit.coefficients.shape[1] != horizon:
            return None
        return fit if 0 <= past.end - fit.end < self.refit_rows * past.step else None

    def _fitted(self, past: Past, rows: Floats, starts: Indices, horizon: int) -> _Fit:
        clock = len(rows) * past.step >= SEASONS * self.season_s
        seen = _averages(rows, past.unit)
        origins = starts[:: -(-len(starts) // FITTED)]
        told = self._features(seen, origins, past, clock=clock)
        moves = blocks(seen.rows, origins + 1, horizon) - seen.over(LEVEL, origins)[:, None]
        columns = [_ridge(told[:, :, each], moves[:, :, each]) for each in range(3)]
        freedom = len(starts) / horizon
        widened = np.sqrt(min(WIDEST, freedom / max(freedom - told.shape[1], NEGLIGIBLE)))
        return _Fit(past.end, past.step, past.unit, np.stack(columns, axis=2), clock, float(widened))

    def _mean(self, fit: _Fit, seen: _Averages, at: Indices, past: Past) -> Floats:
        """What is expected from each of these rows on (len(at), H, 3)."""
        told = self._features(seen, at, past, clock=fit.clock)
        moves = [told[:, :, each] @ fit.coefficients[:, :, each] for each in range(3)]
        return np.asarray(seen.over(LEVEL, at)[:, None] + np.stack(moves, axis=2), dtype=np.float64)

    def _features(self, seen: _Averages, at: Indices, past: Past, *, clock: bool) -> Floats:
        """What explains the next steps (len(at), F, 3)."""
        level = seen.over(LEVEL, at)
        parts = [np.ones_like(level), *(seen.over(window, at) - level for window in WINDOWS)]
        if clock:
            angles = 2.0 * np.pi * (past.end - (len(seen.rows) - 1 - at) * past.step) / self.season_s
            waves = [wave(k * angles) for k in range(1, HARMONICS + 1) for wave in (np.sin, np.cos)]
            parts += [np.repeat(wave[:, None], 3, axis=1) for wave in waves]
        return np.stack(parts, axis=1)


def _averages(rows: Floats, unit: Floats) -> _Averages:
    scaled = np.sqrt(rows / unit)
    known = np.isfinite(scaled)
    start = np.zeros((1, 3))
    total = np.concatenate([start, np.cumsum(np.where(known, scaled, 0.0), axis=0)])
    return _Averages(scaled, total, np.concatenate([start, np.cumsum(known, axis=0)]))


def _alike(seen: _Averages, starts: Indices, now: Indices) -> Indices:
    """The starts, in order of time, whose level is nearest to today's."""
    away = np.abs(seen.over(LEVEL, starts) - seen.over(LEVEL, now)).sum(axis=1)
    kept = min(len(starts), max(FEWEST, round(NEAR * len(starts))))
    return np.asarray(starts[np.sort(np.argpartition(away, kept - 1)[:kept])], dtype=np.int64)


def _ridge(told: Floats, moves: Floats) -> Floats:
    """Coefficients (F, H) of the moves (S, H) on features (S, F), each shrunk towards none by its own size."""
    size = np.maximum(np.sqrt((told**2).mean(axis=0)), NEGLIGIBLE)
    scaled = told / size
    penalty = (RIDGE + RIDGE_BY_STEP * moves.shape[1]) * np.eye(told.shape[1])
    return np.asarray(np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ moves) / size[:, None], dtype=np.float64)
