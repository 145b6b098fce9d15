"""Forecasts that wait for their outcome, and their scores once it is there.

What is NOT promised: a score where nothing was measured over the horizon; then the forecast is forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from foretide.forecaster.calibrator import Issued
from foretide.forecaster.past import Past
from foretide.forecaster.scoring import crps, pinball
from foretide.policies.flow import REQUESTS, Floats

SAMPLES = 48
"""Paths per tier that are kept for scoring."""
PEAK = 0.95
"""The quantile of the peak that is scored."""


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A forecast of requests/s that waits for its outcome: samples (S, H) by tier and of the pool as served."""

    made_at: float
    due: float
    last_value: float
    seasonal: Floats
    """The values one season before (H,); NaN where unknown."""
    tiers: Mapping[str, Floats]
    pooled: Floats
    peaks: Mapping[str, float]
    """Of each tier, the PEAK quantile of its paths' largest requests/s."""
    issued: Issued | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """How a forecast turned out, in requests/s: CRPS by tier, of the pool and of last value."""

    tiers: Mapping[str, float]
    pooled: float
    last_value: float
    seasonal: float | None = None
    """Of the season before; None where that is not known at every measured step."""
    peaks: Mapping[str, float] = field(default_factory=dict)
    """Pinball loss of the peak's quantile by tier; empty where a step was not measured."""


def pending(
    past: Past, drawn: Mapping[str, Floats], pooled: Floats, *, season_s: float, issued: Issued | None
) -> Pending:
    """What is kept of a forecast: of each tier its first paths, of the pool an even choice."""
    horizon = pooled.shape[1]
    picks = np.linspace(0, len(pooled) - 1, min(len(pooled), SAMPLES)).round().astype(np.int64)
    return Pending(
        made_at=past.end,
        due=past.end + horizon * past.step,
        last_value=float(past.newest[REQUESTS]),
        seasonal=season_before(past, horizon, season_s),
        tiers={name: paths[:SAMPLES, :, REQUESTS].astype(np.float32) for name, paths in drawn.items()},
        pooled=pooled[picks, :, REQUESTS].astype(np.float32),
        peaks={name: float(np.quantile(paths[:, :, REQUESTS].max(axis=1), PEAK)) for name, paths in drawn.items()},
        issued=issued,
    )


def season_before(past: Past, horizon: int, season_s: float) -> Floats:
    """Requests/s whole seasons before each of the next steps (H,), as few as are past; NaN where unknown."""
    season = max(1, round(season_s / past.step))
    seasons = -(-horizon // season)
    rows = len(past.known) + np.arange(horizon) - seasons * season
    known = (rows >= 0) & (rows < len(past.known))
    return np.where(known, past.known[np.clip(rows, 0, len(past.known) - 1), REQUESTS], np.nan)


def outcome(waiting: Pending, past: Past) -> Floats | None:
    """The rows (H, 3) that a due forecast spoke of; None where they lie outside the past or none was measured."""
    first = round((waiting.made_at - (past.end - len(past.known) * past.step)) / past.step)
    actual = past.known[max(0, first) : first + waiting.pooled.shape[1]]
    if first < 0 or not np.isfinite(actual[:, REQUESTS]).any():
        return None
    return actual


def scores(waiting: Pending, actual: Floats) -> Scores:
    """The scores of a due forecast whose outcome (H, 3) was measured at one step at least."""
    requests = actual[:, REQUESTS]
    missed = np.abs(waiting.seasonal - requests)
    seasonal = float(np.nanmean(missed)) if np.isfinite(missed).sum() == np.isfinite(requests).sum() else None
    told = waiting.peaks if np.isfinite(requests).all() else {}
    peak = requests.max(keepdims=True)
    return Scores(
        tiers={name: float(np.nanmean(crps(samples, requests))) for name, samples in waiting.tiers.items()},
        pooled=float(np.nanmean(crps(waiting.pooled, requests))),
        last_value=float(np.nanmean(np.abs(waiting.last_value - requests))),
        seasonal=seasonal,
        peaks={name: float(pinball(np.array([[held]]), peak, quantile=PEAK)[0]) for name, held in told.items()},
    )
