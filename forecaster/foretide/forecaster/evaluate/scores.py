"""Losses of sampled forecasts, one value per origin and indicator: what every figure of an evaluation is made of.

Paths have shape (O, K, H, N), outcomes (O, H, N) with NaN where nothing was measured. A loss without an outcome is
NaN, never zero. Smaller is better everywhere.

What is NOT promised: that two estimators agree on few paths. The CRPS is the fair one (Ferro 2014); quantiles are
those of the sample.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from foretide.forecaster import scoring
from foretide.policies.flow import Floats

LEVELS: Final = (0.5, 0.8, 0.95)
"""Central intervals whose coverage is reported."""
QUANTILES: Final = tuple(round(0.1 * k, 1) for k in range(1, 10))
"""Levels of the weighted quantile loss."""
PIT_BINS: Final = 20


def quantiles(paths: Floats, levels: Sequence[float]) -> Floats:
    """Sample quantiles over axis 1, linear between ranks as numpy's: (O, K, ...) -> (levels, O, ...).

    One sort on contiguous rows: several times faster than numpy's own for a handful of levels.
    """
    ordered = np.sort(np.ascontiguousarray(np.moveaxis(paths, 1, -1)), axis=-1)
    places = np.asarray(levels, dtype=np.float64) * (ordered.shape[-1] - 1)
    below = np.minimum(np.floor(places).astype(np.int64), max(0, ordered.shape[-1] - 2))
    above = np.minimum(below + 1, ordered.shape[-1] - 1)
    share = places - below
    return np.moveaxis(ordered[..., below] * (1.0 - share) + ordered[..., above] * share, -1, 0)


def crps(*, paths: Floats, actual: Floats) -> Floats:
    """Fair CRPS per origin, step and indicator (O, H, N), in the unit of the paths."""
    origins, count, *rest = paths.shape
    flat = np.moveaxis(paths, 1, -1).reshape(-1, count)
    return scoring.crps(np.ascontiguousarray(flat).T, actual.reshape(-1)).reshape(origins, *rest)


def squared_error(*, paths: Floats, actual: Floats) -> Floats:
    """Squared error of the paths' mean (O, H, N)."""
    return np.asarray((paths.mean(axis=1) - actual) ** 2, dtype=np.float64)


def absolute_error(*, paths: Floats, actual: Floats) -> Floats:
    """Absolute error of the paths' median (O, H, N)."""
    return np.asarray(np.abs(quantiles(paths, [0.5])[0] - actual), dtype=np.float64)


def quantile_loss(*, paths: Floats, actual: Floats, levels: tuple[float, ...] = QUANTILES) -> Floats:
    """Twice the pinball loss, averaged over the levels (O, H, N): its sum over that of |actual| is the wQL."""
    at = quantiles(paths, levels)
    miss = actual[None] - at
    tau = np.asarray(levels).reshape(-1, 1, 1, 1)
    return np.asarray(2.0 * np.maximum(tau * miss, (tau - 1.0) * miss).mean(axis=0), dtype=np.float64)


def covered(*, paths: Floats, actual: Floats, level: float) -> Floats:
    """Whether the central interval holds the outcome (O, ...): 1, 0, or NaN if missing. Axis 1 is the paths."""
    low, high = quantiles(paths, [0.5 - level / 2, 0.5 + level / 2])
    inside = ((low <= actual) & (actual <= high)).astype(np.float64)
    return np.asarray(np.where(np.isfinite(actual), inside, np.nan), dtype=np.float64)


def pit(*, paths: Floats, actual: Floats, seed: int) -> Floats:
    """Randomised rank of the outcome among K paths, in (0, 1); uniform if calibrated. NaN if missing.

    (less + U (equal + 1)) / (K + 1), U uniform (Czado, Gneiting and Held 2009 for discrete outcomes).
    """
    count = paths.shape[1]
    less = (paths < actual[:, None]).sum(axis=1)
    equal = (paths == actual[:, None]).sum(axis=1)
    rank = (less + np.random.default_rng(seed).random(less.shape) * (equal + 1)) / (count + 1)
    return np.asarray(np.where(np.isfinite(actual), rank, np.nan), dtype=np.float64)


def pit_deviation(ranks: Floats) -> float:
    """Mean distance between the distribution of PITs and the uniform one: 0 is calibrated, 0.5 is all at one end."""
    known = np.sort(ranks[np.isfinite(ranks)])
    if not len(known):
        return float("nan")
    grid = (np.arange(200) + 0.5) / 200
    share = np.searchsorted(known, grid, side="right") / len(known)
    return float(np.abs(share - grid).mean())


def pit_histogram(ranks: Floats) -> list[float]:
    """Shares of PITs in `PIT_BINS` equal bins; they sum to 1, and are all 1 / PIT_BINS where calibrated."""
    known = ranks[np.isfinite(ranks)]
    counts, _ = np.histogram(known, bins=PIT_BINS, range=(0.0, 1.0))
    return [float(count) / max(1, len(known)) for count in counts]


def crps_sum(*, paths: Floats, actual: Floats) -> Floats:
    """CRPS of the sum over indicators (O, H); NaN where one of them is missing."""
    return crps(paths=paths.sum(axis=3, keepdims=True), actual=actual.sum(axis=2, keepdims=True))[:, :, 0]


def energy(*, paths: Floats, actual: Floats, seed: int, pairings: int = 8) -> Floats:
    """Fair energy score of the path (O,): E|X - y| - E|X - X'| / 2, Euclidean over H x N.

    Gneiting and Raftery 2007, equation 22. X' are `pairings` cyclic shifts of the paths: no path meets itself.
    """
    origins, count = paths.shape[:2]
    flat, target = paths.reshape(origins, count, -1), actual.reshape(origins, 1, -1)
    error = _distance(flat, target).mean(axis=1)
    if count < 2:
        return np.asarray(error, dtype=np.float64)
    shifts = np.random.default_rng(seed).permutation(np.arange(1, count))[:pairings]
    spread = np.mean([_distance(flat, np.roll(flat, shift, axis=1)).mean(axis=1) for shift in shifts], axis=0)
    return np.asarray(error - 0.5 * spread, dtype=np.float64)


def _distance(one: Floats, other: Floats) -> Floats:
    apart = one - other
    return np.asarray(np.sqrt(np.einsum("okd,okd->ok", apart, apart)), dtype=np.float64)


def variogram(*, paths: Floats, actual: Floats, power: float = 0.5) -> Floats:
    """Variogram score of the whole path (O,), mean over pairs of H x N (Scheuerer and Hamill 2015, equation 4)."""
    origins, count = paths.shape[:2]
    flat, target = paths.reshape(origins, count, -1), actual.reshape(origins, -1)
    first, second = np.triu_indices(flat.shape[2], k=1)
    if not len(first):
        return np.full(origins, np.nan)
    scores = np.empty(origins)
    for origin in range(origins):
        one = np.ascontiguousarray(flat[origin].T)
        expected = (np.abs(one[first] - one[second]) ** power).mean(axis=1)
        seen = np.abs(target[origin, first] - target[origin, second]) ** power
        scores[origin] = ((seen - expected) ** 2).mean()
    return scores
