"""One model against another: geometric means over series, block-bootstrap intervals, and the Diebold-Mariano test.

Ratios are taken per series and then averaged geometrically (the GIFT-Eval convention), so that no series' unit and no
large series decides. What is NOT promised: that a small p-value is a large gain. The ratio and its interval say that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from foretide.policies.flow import Floats

RESAMPLES = 1000
FEWEST_BLOCKS = 10
DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio with its 95 % interval."""

    ratio: float
    low: float
    high: float


def geometric_mean(ratios: Sequence[float]) -> float:
    """Over the finite, positive ones; NaN where there is none."""
    usable = np.array([ratio for ratio in ratios if np.isfinite(ratio) and ratio > 0])
    return float(np.exp(np.log(usable).mean())) if len(usable) else float("nan")


def ratios(*, scores: Mapping[str, float], reference: Mapping[str, float]) -> list[float]:
    """Score over reference for each series that has both, where the reference is positive."""
    return [scores[name] / reference[name] for name in scores if name in reference and reference[name] > 0]


def best_of(table: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> dict[str, tuple[str, float]]:
    """Of these models, the best per series with its score. `table` is model -> series -> score."""
    best: dict[str, tuple[str, float]] = {}
    for name in names:
        for series, score in table.get(name, {}).items():
            if np.isfinite(score) and (series not in best or score < best[series][1]):
                best[series] = (name, score)
    return best


def blocks_of(at_s: Floats) -> Floats:
    """A block number per origin time: days, or shorter stretches where fewer than ten days are scored."""
    span = float(at_s[-1] - at_s[0]) if len(at_s) else 0.0
    width = max(min(DAY_S, span / FEWEST_BLOCKS), 1e-9)
    return np.floor((at_s - at_s[:1]) / width) if len(at_s) else at_s


def bootstrap(*, losses: Sequence[Floats], reference: Sequence[Floats], at_s: Sequence[Floats], seed: int) -> Interval:
    """Geometric mean over series of mean loss over mean reference loss, origins resampled in whole blocks (2.5-97.5 %).

    Each sequence has one array per series, on the same origins. Blocks keep the dependence of neighbouring origins
    (Kunsch 1989).
    """
    rng = np.random.default_rng(seed)
    whole = geometric_mean([_mean_ratio(one, other) for one, other in zip(losses, reference, strict=True)])
    drawn = [_resampled(one, other, at, rng) for one, other, at in zip(losses, reference, at_s, strict=True)]
    logs = np.log(np.maximum(np.array(drawn), 1e-300)).mean(axis=0)
    low, high = np.exp(np.quantile(logs, [0.025, 0.975]))
    return Interval(whole, float(low), float(high))


def _mean_ratio(one: Floats, other: Floats) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    below = float(other[known].sum())
    return float(one[known].sum()) / below if below > 0 else float("nan")


def _resampled(one: Floats, other: Floats, at_s: Floats, rng: np.random.Generator) -> Floats:
    """Ratios of sums over resampled blocks (RESAMPLES,)."""
    known = np.isfinite(one) & np.isfinite(other)
    _, block = np.unique(blocks_of(at_s[known]), return_inverse=True)
    count = int(block.max()) + 1
    above = np.bincount(block, weights=one[known], minlength=count)
    below = np.bincount(block, weights=other[known], minlength=count)
    picks = rng.integers(0, count, size=(RESAMPLES, count))
    return np.asarray(above[picks].sum(axis=1) / np.maximum(below[picks].sum(axis=1), 1e-300), dtype=np.float64)


def diebold_mariano(*, losses: Floats, other: Floats, lags: int) -> tuple[float, float]:
    """(statistic, two-sided p) that both have the same expected loss; negative: `losses` are smaller.

    Diebold and Mariano 1995, with Newey and West's (1987) Bartlett weights over `lags` and the small-sample factor and
    Student's t of Harvey, Leybourne and Newbold 1997 (equation 9, with `lags` + 1 for their h).
    """
    difference = losses - other
    difference = difference[np.isfinite(difference)]
    count = len(difference)
    if count < 8 or not np.ptp(difference) > 0:
        return 0.0, 1.0
    lags = min(max(lags, round(count ** (1 / 3))), count // 4)
    centred = difference - difference.mean()
    variance = float(centred @ centred) / count
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(centred[lag:] @ centred[:-lag]) / count
    ahead = lags + 1
    factor = (count + 1 - 2 * ahead + ahead * (ahead - 1) / count) / count
    statistic = float(difference.mean()) / np.sqrt(variance / count) * np.sqrt(max(factor, 1e-12))
    return float(statistic), float(2.0 * stats.t.sf(abs(statistic), df=count - 1))
