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
class StepCost:
    """Seconds of one step of the engine by its profile (papers.md 3.1): what a speed factor is measured against."""

    decode: tuple[float, float, float]
    """Of a step, of each of its requests, of each token of their contexts."""
    prefill: tuple[float, float, float]
    """Of a step, of each of its tokens, of each pair of tokens (twice the coefficient of a whole prompt squared)."""
    chunk: int
    """Tokens of one step."""
    experts: tuple[float, float] = (0.0, 0.0)
    """Of a mixture: reading all experts, and the share of them that one token touches."""
    crowded: tuple[float, float, float, float] | None = None
    """Another `decode` from this many decodes on, where one line does not hold for both."""

    def decode_s(self, batch: float, context: float) -> float:
        """A step of `batch` decodes with `context` tokens each."""
        fixed, each, token = self._line(batch)
        read, share = self.experts
        touched = 1.0 - float((1.0 - share) ** batch)
        return fixed + each * batch + token * batch * context + read * touched

    def mixed_s(self, tokens: float, batch: float, context: float) -> float:
        """A step that computes `tokens` of prompts beside the decodes: the larger of its two branches."""
        fixed, each, pair = self.prefill
        prompts = (
            fixed + each * (tokens + batch) + pair * tokens * tokens / 2.0 + self._line(batch)[2] * batch * context
        )
        return max(prompts, self.decode_s(batch, context))

    def _line(self, batch: float) -> tuple[float, float, float]:
        return self.decode if self.crowded is None or batch < self.crowded[0] else self.crowded[1:]


@dataclass(frozen=True, slots=True)
class ServiceModel:
    """What one replica can carry, and how sure of it we are: its log-speed factor is N(mu, sigma)."""

    work: WorkPerUnit
    capacity: CapacityTable
    source: str
    """Where the numbers come from, for a person: the profile's name and how the table was made."""
    log_speed_mean: float = 0.0
    log_speed_sd: float = 0.0
    waiting_work_s: float = 0.0
    """Replica-seconds of work in one waiting request, for the fast pass; 0 = unknown."""
    steps: StepCost | None = None
    """None where there is no profile: then no speed can be learned."""
    loads: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    """How a load weighs on a slower replica: (log factor, log of work in units of the usual capacity), ascending in
    both. A tight objective leaves a replica of half the speed less than half its capacity."""
    observed: int = 0
    """How often live engines were seen to learn the speed from; 0 = what is assumed of it."""

    def speed(self) -> tuple[float, float, float]:
        """The speed factor: its median, and the ends of the interval that holds it with 90 %."""
        mean, sd = self.log_speed_mean, self.log_speed_sd
        return exp(mean), exp(mean - 1.645 * sd), exp(mean + 1.645 * sd)

    def weight(self, log_speed: Floats) -> Floats:
        """Work at these log-speed factors in units of the usual capacity.

        Linear in logs between `loads`, and beyond them in proportion to the factor.
        """
        at, told = (np.array(column) for column in zip(*self.loads, strict=True))
        inside = np.clip(log_speed, at[0], at[-1])
        return np.asarray(np.exp(np.interp(inside, at, told) + (log_speed - inside)), dtype=np.float64)


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
