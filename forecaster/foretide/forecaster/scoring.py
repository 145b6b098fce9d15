"""Scores of sampled forecasts: CRPS, pinball loss and interval coverage.

Losses are in the unit of the forecast value; smaller is better. A missing outcome (NaN) gives NaN, never zero.

What is NOT promised: that the CRPS of few samples is exact. It is the fair estimator: unbiased, so it can be negative.
"""

import numpy as np

from foretide.policies.flow import Floats


def crps(samples: Floats, actual: Floats) -> Floats:
    """Fair CRPS of S samples per step against the outcome: samples (S, H), actual (H,) -> (H,); NaN where missing.

    E|X - y| - E|X - X'| / 2 with the S (S - 1) denominator (Ferro 2014, "Fair scores for ensemble forecasts"), by
    sorting in O(S log S). One sample alone scores its absolute error.
    """
    count = len(samples)
    error = np.abs(samples - actual).mean(axis=0)
    if count < 2:
        return np.asarray(error, dtype=np.float64)
    ranks = 2.0 * np.arange(1, count + 1) - count - 1.0
    # sum over pairs |x_i - x_j| = 2 * sum_i (2 i - S - 1) x_(i); half of its mean over S (S - 1) pairs:
    spread = ranks @ np.sort(samples, axis=0) / (count * (count - 1))
    return np.asarray(error - spread, dtype=np.float64)


def pinball(samples: Floats, actual: Floats, *, quantile: float) -> Floats:
    """Quantile loss of the samples' `quantile` in (0, 1): samples (S, H), actual (H,) -> (H,)."""
    miss = actual - np.quantile(samples, quantile, axis=0)
    return np.asarray(np.maximum(quantile * miss, (quantile - 1.0) * miss), dtype=np.float64)


def covered(samples: Floats, actual: Floats, *, level: float) -> Floats:
    """Whether the central interval of probability `level` holds the outcome: 1.0, 0.0, or NaN where it is missing."""
    low, high = np.quantile(samples, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    inside = ((low <= actual) & (actual <= high)).astype(np.float64)
    return np.asarray(np.where(np.isfinite(actual), inside, np.nan), dtype=np.float64)
