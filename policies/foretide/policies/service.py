"""What one replica carries and how long a new one takes: the values that the service model is made of."""

from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WorkPerUnit:
    """Replica-seconds of work that one unit of demand causes: linear in requests and tokens (papers.md 3.1).

    work/s = request * requests/s + prompt_token * prompt tokens/s + output_token * output tokens/s.
    One replica that is busy all the time does 1 work/s, up to batching, which the capacity table accounts for.
    """

    request: float
    prompt_token: float
    output_token: float

    def of(self, demand: Floats) -> Floats:
        """Work/s of demand of shape (..., 3)."""
        weights = np.array([self.request, self.prompt_token, self.output_token])
        return np.asarray(demand @ weights, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class CapacityTable:
    """The largest work/s per replica at which every declared percentile still holds, by pool size.

    `replicas` ascends and starts at 1; between entries `per_replica` is interpolated in log(replicas), beyond the last
    it is constant. `binding[i]` names the objective that broke first at that size.
    """

    replicas: tuple[int, ...]
    per_replica: tuple[float, ...]
    binding: tuple[str, ...]
    steepness: float = 0.0
    """How fast misses grow beyond the limit: at a load of (1 + x) limits, exp(steepness x) times as many requests miss
    as the objective allows. 0 = unknown: then every overload breaks it."""

    def total(self, replicas: int) -> float:
        """Work/s that `replicas` carry together; 0 for none."""
        if replicas <= 0:
            return 0.0
        each = np.interp(np.log(replicas), np.log(self.replicas), self.per_replica)
        return float(replicas * each)

    def binding_at(self, replicas: int) -> str:
        """Name of the objective that limits a pool of this size."""
        index = int(np.searchsorted(self.replicas, max(1, replicas), side="right")) - 1
        return self.binding[max(0, index)]


@dataclass(frozen=True, slots=True)
class ServiceModel:
    """What one replica can carry, and how sure of it we are: the true capacity is capacity / exp(N(mu, sigma))."""

    work: WorkPerUnit
    capacity: CapacityTable
    source: str
    """Where the numbers come from, for a person: the profile's name and how the table was made."""
    log_speed_mean: float = 0.0
    log_speed_sd: float = 0.0
    waiting_work_s: float = 0.0
    """Replica-seconds of work in one waiting request, for the fast pass; 0 = unknown."""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Time from ordering a replica to its being ready: lognormal (median in seconds, sigma of the log)."""

    median_s: float
    sigma: float
    observed: int = 0
    """How many real starts stand behind it; 0 = prior only."""

    def quantile(self, probability: float) -> float:
        from scipy.special import ndtri  # 12 MB and half a second, which whoever only forecasts need not pay

        normal: float = ndtri(probability)
        return self.median_s * exp(self.sigma * normal)
