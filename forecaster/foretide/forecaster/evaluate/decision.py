"""The scores that decide GPUs: the peak of each path, and what it costs to provision for its quantile.

A capacity is held over the whole horizon, so that what counts is the distribution of the path's peak, not that of any
step. With costs under : over, the cheapest capacity is the under / (under + over) quantile of the peak (the newsvendor
rule, Arrow, Harris and Marschak 1951).

What is NOT promised: GPU-hours. Only a closed loop has those; here is the forecast's part of them.
"""

from typing import Final

import numpy as np

from foretide.forecaster.evaluate.scores import quantiles
from foretide.policies.flow import Floats

RATIOS: Final = (4.0, 19.0, 99.0)
"""Costs of a unit missing over that of a unit idle; 19 is the one that is reported as `decision_cost`."""


def peaks(paths: Floats) -> Floats:
    """Largest value over the horizon: (O, K, H, N) -> (O, K, N); of outcomes (O, H, N) -> (O, N), NaN where one is."""
    return np.asarray(paths.max(axis=-2), dtype=np.float64)


def quantile_of(ratio: float) -> float:
    """The quantile of the peak that is cheapest where a missing unit costs `ratio` idle ones."""
    return ratio / (1.0 + ratio)


def capacity(*, paths: Floats, quantile: float) -> Floats:
    """The quantile of the paths' peaks (O, N)."""
    return np.asarray(quantiles(peaks(paths), [quantile])[0], dtype=np.float64)


def cost(*, provided: Floats, peak: Floats, ratio: float) -> Floats:
    """What `provided` (O, N) costs in idle units: idle ones once, missing ones `ratio` times; NaN if unmeasured."""
    missing = peak - provided
    return np.asarray(np.where(missing > 0, ratio * missing, -missing), dtype=np.float64)


def peak_pinball(*, paths: Floats, peak: Floats, quantile: float) -> Floats:
    """Pinball loss of the peak's quantile (O, N)."""
    miss = peak - capacity(paths=paths, quantile=quantile)
    return np.asarray(np.maximum(quantile * miss, (quantile - 1.0) * miss), dtype=np.float64)


def exceeded(*, paths: Floats, peak: Floats, quantile: float = 0.95) -> Floats:
    """Whether the true peak lay above the quantile (O, N): 1, 0, or NaN; calibrated is 1 - quantile on average."""
    above = (peak > capacity(paths=paths, quantile=quantile)).astype(np.float64)
    return np.asarray(np.where(np.isfinite(peak), above, np.nan), dtype=np.float64)
