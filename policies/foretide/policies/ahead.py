"""What a decision looks ahead to: the planning horizon, and the work that demand paths bring in it.

What is NOT promised: that the forecast reaches that far. Where it is shorter, what there is counts.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy.special import ndtri

from foretide.policies.flow import REQUESTS, DemandForecast, DemandHistory, Evidence, Floats, ServiceModel

LEAD_QUANTILE = 0.9
"""The planning horizon covers a cold start this unlucky: capacity ordered now must be ready when it is needed."""
FLOOR_BINS = 2
"""The reactive floor looks at the mean of this many newest bins."""


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """Work/s along each path over the planning horizon, at the path's own speed, and its requests/s: (K, H) each."""

    work: Floats
    requests: Floats
    window: int
    """Bins in a window of the objective."""
    step: float
    """Seconds of a bin."""

    def since(self, seconds: float) -> "Ahead":
        """The same without the bins that end by then; the last bin is always kept."""
        skipped = min(self.work.shape[1] - 1, int(seconds / self.step))
        kept = self.work.shape[1] - skipped
        return Ahead(self.work[:, skipped:], self.requests[:, skipped:], min(self.window, kept), self.step)


def planning_horizon(evidence: Evidence) -> float:
    """Seconds ahead for which this decision must hold: lead time, one planning interval, and the bin under way."""
    lead = evidence.cold_start.quantile(LEAD_QUANTILE)
    return lead + evidence.rhythm.plan_s + evidence.history.step


def ahead_of(evidence: Evidence, forecast: DemandForecast) -> Ahead:
    """The forecast over this decision's planning horizon, as work."""
    steps = max(1, min(forecast.paths.shape[1], ceil(planning_horizon(evidence) / forecast.step - 1e-9)))
    paths = forecast.paths[:, :steps]
    work = evidence.service.work.of(paths)
    slowed = work * speed_draws(evidence.service, len(work))[:, None]
    window = max(1, min(steps, round(evidence.objective.window_s / forecast.step)))
    return Ahead(slowed, paths[:, :, REQUESTS], window, forecast.step)


def speed_draws(service: ServiceModel, count: int) -> Floats:
    """`count` equally likely weights of work, each at its speed, in an order that has nothing to do with the paths'."""
    draws = service.weight(service.log_speed_mean + service.log_speed_sd * even_normals(count))
    return np.asarray(np.random.default_rng(count).permutation(draws), dtype=np.float64)


def even_normals(count: int) -> Floats:
    """`count` equally likely values of a standard normal, ascending."""
    return np.asarray(ndtri((np.arange(count) + 0.5) / count), dtype=np.float64)


def recent_work(history: DemandHistory, service: ServiceModel) -> float:
    """Work/s of the newest measured bins, at the expected speed; 0 where none is known."""
    known = history.values[np.isfinite(history.values).all(axis=1)][-FLOOR_BINS:]
    if not len(known):
        return 0.0
    return float(service.work.of(known).mean() * service.weight(np.array(service.log_speed_mean)))
