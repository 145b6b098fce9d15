"""Cold starts as they come in life: in bursts, of very different lengths, and slower when many start at once.

The published figures are of Huawei's serverless platform (Joosen et al., Serverless Cold Starts and Where to Find Them,
EuroSys 2025): times with a mean of 3.24 s and a standard deviation of 7.10 s, lognormal; 1.25 s and 3.66 s between
starts, Weibull.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from math import gamma

import numpy as np
from numpy.random import Generator, default_rng
from scipy.optimize import brentq

from foretide.policies.service import Floats
from foretide.simulator.starts import StartTier, contended

PUBLISHED = StartTier.of_moments(mean_s=3.24, sd_s=7.10)
BETWEEN_MEAN_S, BETWEEN_SD_S = 1.25, 3.66


@dataclass(frozen=True, slots=True)
class Weibull:
    shape: float
    scale_s: float

    @classmethod
    def of_moments(cls, *, mean_s: float, sd_s: float) -> "Weibull":
        """The one with this mean and standard deviation in seconds; the ratio must lie between 0.01 and 100."""
        wanted = (sd_s / mean_s) ** 2
        shape = float(brentq(lambda k: gamma(1 + 2 / k) / gamma(1 + 1 / k) ** 2 - 1 - wanted, 0.15, 100.0))
        return cls(shape, mean_s / gamma(1 + 1 / shape))

    def draw(self, rng: Generator, count: int) -> Floats:
        return np.asarray(self.scale_s * rng.weibull(self.shape, size=count))


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """Starts in the order in which they began, (N,) each."""

    began_s: Floats
    took_s: Floats
    others: Floats
    """How many were under way when it began."""


def starts(*, count: int, tier: StartTier, between: Weibull, contention: float, seed: int) -> Burst:
    """`count` cold starts of one tier, each slowed by those that are under way when it begins."""
    rng = default_rng(seed)
    began = between.draw(rng, count).cumsum()
    alone = tier.median_s * np.exp(tier.sigma * rng.standard_normal(count))
    under_way: list[float] = []
    took, others = np.empty(count), np.empty(count)
    for place, (at, seconds) in enumerate(zip(began, alone, strict=True)):
        while under_way and under_way[0] <= at:
            heappop(under_way)
        others[place] = len(under_way)
        took[place] = contended(float(seconds), others=len(under_way), coefficient=contention)
        heappush(under_way, float(at + took[place]))
    return Burst(began, took, others)
