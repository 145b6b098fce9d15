"""How long a replica takes to start. The n-th start of a run is as lucky as the n-th of any other policy's run with the
same seed (common random numbers): its draw depends on nothing but seed and ordinal.

A start takes the first tier, in the order written, that has a node left; a tier without a count of nodes never runs
out. A node comes back some time after its replica has left, to the first tier that is short of one; one that no tier
is short of is given up, as a cluster autoscaler would. Starts that are under way at the same time slow each other.

What is NOT promised: nodes with names. A tier counts them, and one is as good as another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import exp, log, sqrt

import numpy as np

SUGGESTED_CONTENTION = 0.05
"""Our own figure; that start times grow with the number of concurrent starts is measured (papers.md 1.6, 3.5)."""


@dataclass(frozen=True, slots=True)
class StartTier:
    """A lognormal cold start: median in seconds, sigma of the log."""

    median_s: float
    sigma: float
    nodes: int | None = None
    """Nodes that can start a replica this way; None for as many as anybody orders."""
    name: str = field(default="", compare=False)

    @classmethod
    def of_moments(cls, *, mean_s: float, sd_s: float) -> "StartTier":
        """The lognormal with this mean and standard deviation in seconds."""
        variance = log(1.0 + (sd_s / mean_s) ** 2)
        return cls(median_s=mean_s * exp(-variance / 2.0), sigma=sqrt(variance))

    def start_s(self, *, ordinal: int, seed: int) -> float:
        """Seconds that the start with this ordinal takes in a run with this seed."""
        normal = float(np.random.default_rng((seed, ordinal)).standard_normal())
        return self.median_s * exp(self.sigma * normal)


SUGGESTED = {
    "sleeping": StartTier(2.0, 0.3),
    "warm-node-cached": StartTier(25.0, 0.25),
    "warm-node": StartTier(80.0, 0.3),
    "cold-node": StartTier(455.0, 0.35),
}
"""Tiers for those who have not measured theirs, by name (papers.md 3.5): an engine that only wakes up; compiled, and
its weights in memory; node and image at hand; and a node that has to come first, 300 s, before a start of 155 s."""


class WarmNodes:
    """What is left of each tier's nodes. Times must not go back."""

    def __init__(self, tiers: Sequence[StartTier], *, refill_s: float) -> None:
        self._tiers = tuple(tiers)
        self._refill_s = refill_s
        self._left = [tier.nodes for tier in tiers]
        self._coming: list[float] = []

    def take(self, now: float) -> StartTier:
        """A node for a start that begins now; where every tier has run out, the last one serves all the same."""
        self._refill(now)
        for index, left in enumerate(self._left):
            if left is None:
                return self._tiers[index]
            if left:
                self._left[index] = left - 1
                return self._tiers[index]
        return self._tiers[-1]

    def give_back(self, at: float) -> None:
        """A replica leaves its node at this time."""
        heappush(self._coming, at + self._refill_s)

    def _refill(self, now: float) -> None:
        while self._coming and self._coming[0] <= now:
            heappop(self._coming)
            for index, (left, tier) in enumerate(zip(self._left, self._tiers, strict=True)):
                if left is not None and tier.nodes is not None and left < tier.nodes:
                    self._left[index] = left + 1
                    break


def contended(seconds: float, *, others: int, coefficient: float) -> float:
    """What a start takes that begins while `others` are under way: (1 + coefficient x others) times as long."""
    return seconds * (1.0 + coefficient * others)
