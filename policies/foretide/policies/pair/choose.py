"""The cheapest pair of counts whose joint risk is accepted, exactly: every prefill count with its fewest decode ones.

What is NOT promised: replicas of different kinds in one pool. Where several kinds are on offer, each pool takes one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, inf

import numpy as np

from foretide.policies.pair.needs import Needs, Whole
from foretide.policies.pair.setting import Counts, Prices, Ratio


@dataclass(frozen=True, slots=True)
class Limits:
    """Fewest and most replicas of each pool."""

    least: Counts
    most: Counts


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind of replica on offer for a pool: its price for an hour and what each path needs of it."""

    name: str
    price: float
    needs: Whole


@dataclass(frozen=True, slots=True)
class Bought:
    """The cheapest pair of kinds, and how many of each."""

    prefill: str
    decode: str
    counts: Counts
    hourly_cost: float


def cheapest(needs: Needs, *, prices: Prices, accepted: float, limits: Limits, ratio: Ratio) -> Counts | None:
    """Fewest GPU cost with P(TTFT or TPOT breaks) <= accepted; of equal cost the smaller risk. None if none holds."""
    found = list(_candidates(needs, accepted, limits, ratio))
    return min(found, key=lambda counts: _rank(needs, prices, counts), default=None)


def cheapest_kinds(
    prefill: tuple[Kind, ...], decode: tuple[Kind, ...], *, accepted: float, limits: Limits, ratio: Ratio
) -> Bought | None:
    """The same over every pairing of kinds; their `needs` are of the same paths."""
    bought = []
    for first in prefill:
        for second in decode:
            needs, prices = Needs(first.needs, second.needs), Prices(first.price, second.price)
            counts = cheapest(needs, prices=prices, accepted=accepted, limits=limits, ratio=ratio)
            if counts is not None:
                bought.append(Bought(first.name, second.name, counts, prices.of(counts)))
    return min(bought, key=lambda one: one.hourly_cost, default=None)


def independent(needs: Needs, *, accepted: float, limits: Limits) -> Counts | None:
    """Each pool by itself at half the risk: what keeps the same promise when nothing joint is known (Bonferroni)."""
    allowed = _allowed(len(needs.prefill), accepted / 2)
    prefill, decode = _fewest(needs.prefill, allowed), _fewest(needs.decode, allowed)
    counts = Counts(max(prefill, limits.least.prefill), max(decode, limits.least.decode))
    if 0 in (counts.prefill, counts.decode):  # one pool alone serves nothing
        counts = Counts(max(counts.prefill, min(1, counts.decode)), max(counts.decode, min(1, counts.prefill)))
    fits = counts.prefill <= limits.most.prefill and counts.decode <= limits.most.decode
    return counts if fits else None


def _candidates(needs: Needs, accepted: float, limits: Limits, ratio: Ratio) -> Iterator[Counts]:
    allowed = _allowed(len(needs.prefill), accepted)
    nothing = Counts(0, 0)
    if limits.least == nothing and needs.probability(nothing) <= accepted + 1e-9:
        yield nothing
    for prefill in range(max(1, limits.least.prefill), limits.most.prefill + 1):
        carried = needs.prefill <= prefill
        spare = allowed - int((~carried).sum())
        if spare < 0:
            continue
        fewest = _fewest(needs.decode[carried], spare)
        bound = ceil(prefill / ratio.most - 1e-9) if ratio.most < inf else 0
        counts = Counts(prefill, max(fewest, bound, limits.least.decode, 1))
        if counts.decode <= limits.most.decode and ratio.allows(counts):
            yield counts


def _rank(needs: Needs, prices: Prices, counts: Counts) -> tuple[float, float, int]:
    return round(prices.of(counts), 9), needs.probability(counts), counts.prefill


def _allowed(paths: int, accepted: float) -> int:
    return int(accepted * paths + 1e-9)


def _fewest(needed: Whole, spare: int) -> int:
    """The count that carries all but `spare` of the paths."""
    return 0 if spare >= len(needed) else int(np.sort(needed)[len(needed) - 1 - spare])
