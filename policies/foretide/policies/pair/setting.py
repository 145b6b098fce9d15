"""The values that a decision about two pools is made of."""

from dataclasses import dataclass
from math import inf

from foretide.policies.flow import Decision, Evidence, Reason


@dataclass(frozen=True, slots=True)
class Counts:
    """Replicas of the two pools."""

    prefill: int
    decode: int


@dataclass(frozen=True, slots=True)
class Prices:
    """Of one replica for an hour, all its GPUs, in any one unit; above 0."""

    prefill: float
    decode: float

    def __post_init__(self) -> None:
        for name, price in (("prefill", self.prefill), ("decode", self.decode)):
            if not 0 < price < inf:
                raise ValueError(f"prices.{name}: {price:g}: a replica costs something; give a number above 0")

    def of(self, counts: Counts) -> float:
        """Per hour."""
        return self.prefill * counts.prefill + self.decode * counts.decode


@dataclass(frozen=True, slots=True)
class Ratio:
    """Bounds of prefill replicas over decode replicas, both included."""

    least: float = 0.0
    most: float = inf

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most or self.most == 0:
            raise ValueError(f"ratio: {self.least:g} to {self.most:g}: give 0 <= least <= most, most above 0")

    def allows(self, counts: Counts) -> bool:
        """Nothing at all is within any ratio; one pool alone is within none."""
        if counts.prefill == 0 or counts.decode == 0:
            return counts.prefill == counts.decode
        return self.least * counts.decode - 1e-9 <= counts.prefill <= self.most * counts.decode + 1e-9


@dataclass(frozen=True, slots=True)
class Transfer:
    """KV caches that one replica's link carries, in prompt tokens/s; every prompt's cache is sent and fetched once."""

    sent: float = inf
    """By a prefill replica."""
    fetched: float = inf
    """By a decode replica."""


@dataclass(frozen=True, slots=True, eq=False)
class PairEvidence:
    """One `Evidence` per pool: time, mode, history, forecast and rhythm are the same in both.

    `objective` of both carries the accepted risk of the pair; each pool's `service` is measured on its role alone.
    """

    prefill: Evidence
    decode: Evidence
    prices: Prices
    ratio: Ratio = Ratio()
    transfer: Transfer = Transfer()


@dataclass(frozen=True, slots=True)
class PairProposal:
    """What the demand asks for. `held` is whether the accepted risk is kept within the limits."""

    counts: Counts
    probability: float
    hourly_cost: float
    held: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class PairDecision:
    """One decision per pool; their orders are safe to carry out in any order."""

    prefill: Decision
    decode: Decision
    proposal: PairProposal | None
