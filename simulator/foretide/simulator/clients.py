"""Who sends: a few clients carry most of the load, each a renewal process of its own burstiness.

As ServeGen (arXiv 2505.09999) describes production traffic: gaps between a client's requests are Gamma or Weibull,
their coefficient of variation differs by client, and a changed rate stretches the gaps and keeps their shape.

What is NOT promised: clients that come and go, or whose share of the load changes.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.random import Generator
from scipy.special import gammaln

from foretide.policies.flow import Floats

Gaps = Literal["gamma", "weibull", "mixed"]
GAMMA_SHARE = 0.7
"""With mixed gaps: the share of clients with Gamma gaps; ServeGen's m-large model has so much of its load from them."""
CALMEST, BURSTIEST = 0.3, 4.0
"""Bounds of the variation of a client's gaps; the upper one is twice the median where that is more."""


@dataclass(frozen=True, slots=True)
class Client:
    """One sender: its share of the load, the coefficient of variation of its gaps, and their distribution."""

    share: float
    cv: float
    weibull: bool = False


def draw_clients(
    rng: Generator, *, count: int, zipf: float, burstiness: float, spread: float, gaps: Gaps
) -> list[Client]:
    """Client k has a share proportional to k^-zipf; variations are lognormal with median `burstiness`."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -zipf
    variations = np.clip(
        burstiness * np.exp(spread * rng.standard_normal(count)), CALMEST, max(BURSTIEST, 2 * burstiness)
    )
    weibull = rng.random(count) >= GAMMA_SHARE if gaps == "mixed" else np.full(count, gaps == "weibull")
    shares = (weights / weights.sum()).tolist()
    return [Client(*row) for row in zip(shares, variations.tolist(), weibull.tolist(), strict=True)]


def arrivals(rng: Generator, clients: list[Client], edges: Floats, rate: Floats) -> Floats:
    """When all clients together send, ascending; `rate` (n,) is requests/s between `edges` (n + 1,).

    Each client's process runs on the clock of accumulated load, so that its gaps shorten where the rate rises.
    """
    mass = np.concatenate([[0.0], np.cumsum(rate * np.diff(edges))])
    parts = [
        np.interp(renewals(rng, float(mass[-1]) * client.share, client) / client.share, mass, edges)
        for client in clients
    ]
    return np.sort(np.concatenate(parts))


def renewals(rng: Generator, until: float, client: Client) -> Floats:
    """Times of a renewal process of unit rate with the client's gaps on [0, until)."""
    draw = _weibull if client.weibull else _gamma
    count = int(until + 6 * client.cv * np.sqrt(until + 1) + 20)
    times = np.cumsum(draw(rng, client.cv, count))
    while times[-1] < until:
        times = np.concatenate([times, times[-1] + np.cumsum(draw(rng, client.cv, count))])
    return np.asarray(times[times < until], dtype=np.float64)


def weibull_form(cv: float) -> float:
    """The shape k of a Weibull distribution with this coefficient of variation: cv^2 + 1 = G(1 + 2/k) / G(1 + 1/k)^2.

    Good to 1e-4 between 0.05 and 100.
    """
    forms, variations = _weibull_table()
    return float(np.exp(np.interp(np.log(cv), variations, forms)))


def overdispersion(clients: list[Client]) -> float:
    """Variance over mean of the counts of all clients together in a long while: cv^2 of each by its share."""
    return sum(client.share * client.cv**2 for client in clients)


@cache
def _weibull_table() -> tuple[Floats, Floats]:
    """(log shape, log variation), the latter ascending."""
    forms = np.linspace(np.log(0.1), np.log(40.0), 4000)[::-1]
    k = np.exp(forms)
    squared = np.expm1(gammaln(1 + 2 / k) - 2 * gammaln(1 + 1 / k))
    return forms, 0.5 * np.log(squared)


def _gamma(rng: Generator, cv: float, count: int) -> Floats:
    form = 1.0 / cv**2
    return rng.gamma(form, 1.0 / form, count)


def _weibull(rng: Generator, cv: float, count: int) -> Floats:
    form = weibull_form(cv)
    return np.asarray(rng.weibull(form, count) / np.exp(gammaln(1 + 1 / form)), dtype=np.float64)
