"""What every model of the ladder is: a past in, joint demand paths out. And the bounds that all of them keep.

What is NOT promised: that a tier alone is calibrated. The ladder scores the tiers and pools them.
"""

import logging
from typing import Protocol

import numpy as np
from numpy.random import Generator

from foretide.forecaster.past import Indices, Past, whole_blocks
from foretide.policies.flow import REQUESTS, Floats

logger = logging.getLogger(__name__)
GROWTH_FLOOR, GROWTH_LIMIT = 1.0, 9.0
"""Paths may always reach twice the largest demand known, and never more than ten times."""
GROWTH_ROWS = 2880
NEGLIGIBLE = 1e-6
"""Demand below this share of the largest peak is idleness: growth from it says nothing."""


class Tier(Protocol):
    """One model. It keeps no scores; what it keeps is a cache that its past determines."""

    @property
    def name(self) -> str:
        """The name under which its share of a forecast is shown."""
        ...

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
        """Joint paths (count, horizon, 3), per second, from `past.end` on; None where the past is too short for it."""
        ...


def heard(tier: Tier, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
    """What a tier that may be broken answers: (count, horizon, 3), finite; None for whatever else it does."""
    try:
        with np.errstate(all="ignore"):
            paths = np.asarray(tier.paths(past=past, horizon=horizon, count=count, rng=rng), dtype=np.float64)
    except Exception:  # a learned part may fail in any way; the ladder goes on without it
        logger.warning("forecaster tier %s failed and is left out", tier.name, exc_info=True)
        return None
    sound = paths.ndim == 3 and len(paths) >= count and paths.shape[1:] == (horizon, 3) and np.isfinite(paths).all()
    return paths if sound else None


def ceiling(past: Past, horizon: int) -> Floats:
    """Largest demand a path may reach, per indicator (3,): (1 + g) x the largest known.

    g is learned: the largest factor by which demand of the busier half ever grew within `horizon` steps, less one,
    between GROWTH_FLOOR and GROWTH_LIMIT. It bounds the tails of log-scale models. For a past with a measured row.
    """
    largest = np.nanmax(past.known, axis=0)
    growth = _largest_growth(past.filled[-GROWTH_ROWS:], horizon)
    return np.asarray(largest * (1.0 + np.clip(growth, GROWTH_FLOOR, GROWTH_LIMIT)), dtype=np.float64)


def _largest_growth(rows: Floats, horizon: int) -> float:
    """Largest rise of requests/s within `horizon` steps of a row at or above the median, relative to that row."""
    starts = whole_blocks(rows, horizon + 1)
    if not len(starts):
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(rows[:, REQUESTS], horizon + 1)[starts]
    first, peak = windows[:, 0], windows.max(axis=1)
    busy = (first >= np.median(first)) & (first > NEGLIGIBLE * peak.max())
    return float((peak[busy] / first[busy]).max()) - 1.0 if busy.any() else 0.0


def spread_picks(candidates: Indices, count: int, rng: Generator) -> Indices:
    """`count` of the candidates, as even as possible over their order, shuffled: less noise than drawing each alone."""
    places = (np.arange(count) + rng.random()) * len(candidates) / count
    picks = candidates[np.minimum(places.astype(np.int64), len(candidates) - 1)]
    return np.asarray(rng.permutation(picks), dtype=np.int64)


def blocks(rows: Floats, starts: Indices, length: int) -> Floats:
    """`length` consecutive rows from each start: (len(starts), length, 3)."""
    return np.asarray(rows[starts[:, None] + np.arange(length)], dtype=np.float64)
