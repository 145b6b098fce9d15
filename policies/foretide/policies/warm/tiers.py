"""How warm a model may be kept: what each tier costs to hold, and how long a request waits that finds it there."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from foretide.policies.service import Floats


class BadTiers(ValueError):
    """The field, its value and the fix, in one line."""


@dataclass(frozen=True, slots=True)
class WarmTier:
    """One way to wait for requests."""

    name: str
    wake_s: float
    """Seconds until it serves. A start occupies the GPUs of a ready model for as long."""
    price: float
    """What holding it costs, as a share of a ready model's GPUs."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """From the coldest, which costs nothing, to the one that serves at once. Raises BadTiers for any other order."""

    steps: tuple[WarmTier, ...]

    def __post_init__(self) -> None:
        for one in self.steps:
            _check(one)
        if len(self.steps) < 2:
            raise BadTiers(f"tiers: {len(self.steps)}: give at least two, the coldest first")
        for colder, warmer in pairwise(self.steps):
            if warmer.wake_s >= colder.wake_s:
                raise BadTiers(
                    f"{warmer.name}.wake_s: {warmer.wake_s:g}: a dearer tier must wake faster than {colder.name}"
                )
            if warmer.price <= colder.price:
                fix = f"a tier that wakes faster must cost more, or drop {colder.name}"
                raise BadTiers(f"{warmer.name}.price: {warmer.price:g}: {fix}")
        if self.steps[0].price or self.steps[-1].wake_s:
            raise BadTiers("tiers: the first must have price 0 and the last wake_s 0")

    @property
    def wake_s(self) -> Floats:
        """(K,) seconds."""
        return np.array([one.wake_s for one in self.steps])

    @property
    def price(self) -> Floats:
        """(K,) shares of a ready model's GPUs."""
        return np.array([one.price for one in self.steps])


def zero_or_ready(wake_s: float) -> Tiers:
    """The two tiers that every platform has."""
    return Tiers((WarmTier("zero", wake_s, 0.0), WarmTier("ready", 0.0, 1.0)))


def _check(tier: WarmTier) -> None:
    for field, value, most in (("wake_s", tier.wake_s, 86400.0), ("price", tier.price, 1.0)):
        if not 0.0 <= value <= most:
            raise BadTiers(f"{tier.name}.{field}: {value:g}: give a number from 0 to {most:g}")
