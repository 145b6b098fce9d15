"""Generated: a fleet of models with Zipf popularity, people who come in sessions by day, and timers.

All figures are ours, made to be varied; none is fitted to a trace. What is NOT promised: models that are used together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, default_rng

from foretide.policies.service import Floats
from foretide.policies.warm.idle import Whole
from foretide.simulator.serverless.calls import Calls

DAY_MIN = 1440


@dataclass(frozen=True, slots=True)
class ZipfFleet:
    models: int = 200
    days: int = 7
    exponent: float = 1.0
    """Popularity of the n-th model goes with n to the minus this."""
    sessions_per_day: float = 4000.0
    """Of all models together."""
    session_requests: float = 6.0
    """Mean of a geometric distribution."""
    think_min: float = 1.5
    """Median minutes between the requests of a session, lognormal with a sigma of 1."""
    day_depth: float = 0.9
    """How much quieter the quietest hour is than the loudest, as a share."""
    zones: int = 3
    """Models belong to people in so many time zones."""
    timed: float = 0.15
    """Share of models that a timer calls, too."""


PERIODS_MIN = (15, 30, 60, 120, 240, 720, 1440)


def generate(fleet: ZipfFleet, *, seed: int) -> Calls:
    """Requests by model and minute; the same for a seed."""
    rng = default_rng(seed)
    minutes = fleet.days * DAY_MIN
    counts = np.zeros((fleet.models, minutes), dtype=np.int64)
    weight = np.arange(1, fleet.models + 1) ** -fleet.exponent
    rates = fleet.sessions_per_day / DAY_MIN * weight / weight.sum()
    for model, rate in enumerate(rates):
        at = _sessions(fleet, rate=rate * _wave(fleet, model % fleet.zones), rng=rng)
        np.add.at(counts[model], at, 1)
        if rng.uniform() < fleet.timed:
            period = int(rng.choice(PERIODS_MIN))
            counts[model, int(rng.integers(period)) :: period] += 1
    asked = np.asarray(counts.any(axis=1))
    return Calls(tuple(f"model-{n:03d}" for n in range(fleet.models)), counts).only(asked)


def _wave(fleet: ZipfFleet, zone: int) -> Floats:
    """(M,) factors with mean 1; the weekend has half of the work."""
    minute = np.arange(fleet.days * DAY_MIN)
    phase = 2 * np.pi * (minute / DAY_MIN - zone / fleet.zones)
    factor = 1.0 - fleet.day_depth / (2.0 - fleet.day_depth) * np.cos(phase)
    factor = factor * np.where(minute // DAY_MIN % 7 >= 5, 0.5, 1.0)
    return np.asarray(factor / factor.mean())


def _sessions(fleet: ZipfFleet, *, rate: Floats, rng: Generator) -> Whole:
    begun = np.repeat(np.arange(len(rate)), rng.poisson(rate))
    sizes = rng.geometric(1.0 / fleet.session_requests, size=len(begun))
    gaps = rng.lognormal(np.log(fleet.think_min), 1.0, size=int(sizes.sum()))
    since = gaps.cumsum()
    first = sizes.cumsum() - sizes
    since -= np.repeat(since[first], sizes) if len(begun) else 0.0
    at = (np.repeat(begun + rng.uniform(size=len(begun)), sizes) + since).astype(np.int64)
    return np.asarray(at[at < len(rate)])
