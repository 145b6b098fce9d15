"""Generated LLM traffic. It is generated, not recorded, and everything that shows it says so.

Calibrated to published statistics: token lengths to the conversation trace of the Azure LLM inference dataset 2023
(prompt mean 1155, median 1020, p99 4142; output mean 211, median 129, p99 601); arrivals as ServeGen (arXiv 2505.09999)
describes them: a few clients carry most of the load, each a renewal process of its own burstiness (Gamma gaps), under
a common daily shape.

What is NOT promised: dependence between prompt and output length, sessions, or weekends.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.random import Generator

from foretide.policies.flow import Floats, frozen
from foretide.simulator.requests import RequestTrace, Tokens

PROMPT_MEDIAN, PROMPT_SIGMA = 1020.0, 0.58
OUTPUT_PARTS = ((0.68, 84.0, 0.62), (0.32, 410.0, 0.2))
"""Short and long answers: (share, median, sigma of the log)."""
LONGEST_OUTPUT = 1000
"""Azure's answers are capped here."""
MINUTES = 1440
TROUGH_HOUR = 4.0


@dataclass(frozen=True, slots=True)
class WorkloadShape:
    """What a generated workload looks like. A day has `day_s` seconds, so that one can be compressed into hours.

    Raises ValueError naming the field, the value and the fix.
    """

    mean_rps: float
    days: float = 1.0
    day_s: float = 86400.0
    peak_to_trough: float = 4.0
    """Rate at the daily peak over that at night."""
    clients: int = 24
    zipf: float = 1.1
    """Client k has a share of the load proportional to k^-zipf."""
    burstiness: float = 1.5
    """Median coefficient of variation of a client's gaps; 1 is Poisson."""
    bursts_per_day: float = 4.0
    burst_height: float = 1.6
    """Rate during a burst over the rate without it."""
    burst_minutes: float = 12.0
    """Length of a burst in minutes of the (possibly compressed) day."""
    wander: float = 0.08
    """Standard deviation of the log of the slow drift around the daily shape."""
    prompt_mean: float = 1155.0
    output_mean: float = 203.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float) or not np.isfinite(value) or value < 0:
                raise ValueError(f"{field.name}: {value!r}: give a finite number of at least 0")
        for name in ("mean_rps", "days", "day_s", "clients", "peak_to_trough", "prompt_mean", "output_mean"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: {getattr(self, name)!r}: give a number above 0")
        if self.peak_to_trough < 1:
            raise ValueError(f"peak_to_trough: {self.peak_to_trough!r}: give a ratio of at least 1")


def generate(shape: WorkloadShape, *, seed: int) -> RequestTrace:
    """The trace of a shape, from midnight of day 0. The same for the same seed."""
    rng = np.random.default_rng((seed, 0))
    edges, rate = intensity(shape, seed=seed, first_day=0, days=shape.days)
    mass = np.concatenate([[0.0], np.cumsum(rate * np.diff(edges))])
    parts = [
        np.interp(_renewals(rng, float(mass[-1]) * share, cv) / share, mass, edges)
        for share, cv in _clients(shape, rng)
    ]
    arrival = np.sort(np.concatenate(parts))
    count = len(arrival)
    return RequestTrace(
        arrival_s=frozen(arrival - arrival[0] if count else arrival),
        prompt_tokens=prompt_lengths(rng, count, mean=shape.prompt_mean),
        output_tokens=output_lengths(rng, count, mean=shape.output_mean),
    )


def demand_counts(shape: WorkloadShape, *, days: float, step: float, seed: int) -> Floats:
    """Demand of the `days` before the trace, per second, (T, 3): counts with the clients' burstiness, mean lengths.

    The same daily shape with other bursts and another drift, as yesterday differs from today.
    """
    rng = np.random.default_rng((seed, 1))
    whole = max(1, int(np.ceil(days)))
    edges, rate = intensity(shape, seed=seed, first_day=-whole, days=whole)
    mass = np.concatenate([[0.0], np.cumsum(rate * np.diff(edges))])
    bins = int(whole * shape.day_s / step)
    grid = edges[-1] - step * np.arange(bins, -1, -1)
    mean = np.maximum(np.diff(np.interp(grid, edges, mass)), 1e-12)
    # Counts of a renewal process with gaps of variation cv have a variance of about cv^2 times their mean.
    excess = max(1e-6, sum(share * cv**2 for share, cv in _clients(shape, rng)) - 1.0)
    counts = rng.poisson(rng.gamma(mean / excess, excess)).astype(np.float64)
    spread = 1.0 / np.sqrt(np.maximum(counts, 1.0))
    prompt = shape.prompt_mean * np.exp(PROMPT_SIGMA * spread * rng.standard_normal(bins))
    output = shape.output_mean * np.exp(0.8 * spread * rng.standard_normal(bins))
    rows = np.stack([counts, counts * prompt, counts * output], axis=1) / step
    return frozen(rows[len(rows) - int(days * shape.day_s / step) :])


def intensity(shape: WorkloadShape, *, seed: int, first_day: int, days: float) -> tuple[Floats, Floats]:
    """Edges of `days` in minutes of the day (seconds from midnight of day 0), and requests/s between them."""
    minutes = int(np.ceil(days * MINUTES))
    edges = (first_day + np.arange(minutes + 1) / MINUTES) * shape.day_s
    day = first_day + (np.arange(minutes) + 0.5) / MINUTES
    swing = (1.0 - np.cos(2 * np.pi * (day - TROUGH_HOUR / 24))) / 2
    daily = 1.0 + (shape.peak_to_trough - 1.0) * swing
    daily /= 1.0 + (shape.peak_to_trough - 1.0) / 2
    lively = np.concatenate(
        [
            _liveliness(shape, np.random.default_rng((seed, 2, first_day + d + MINUTES)))
            for d in range(int(np.ceil(days)))
        ]
    )
    return edges, shape.mean_rps * daily * lively[:minutes]


def prompt_lengths(rng: Generator, count: int, *, mean: float) -> Tokens:
    """Lognormal prompt lengths with Azure's spread, scaled to `mean`."""
    usual = PROMPT_MEDIAN * np.exp(PROMPT_SIGMA**2 / 2)
    drawn = PROMPT_MEDIAN * np.exp(PROMPT_SIGMA * rng.standard_normal(count))
    return _whole(drawn * mean / usual)


def output_lengths(rng: Generator, count: int, *, mean: float) -> Tokens:
    """Short and long answers in Azure's proportion, scaled to `mean` and capped alike."""
    (share, *_), _ = OUTPUT_PARTS
    usual = sum(part * median * np.exp(sigma**2 / 2) for part, median, sigma in OUTPUT_PARTS)
    kind = (rng.random(count) >= share).astype(np.int64)
    medians, sigmas = (np.array([part[i] for part in OUTPUT_PARTS])[kind] for i in (1, 2))
    drawn = medians * np.exp(sigmas * rng.standard_normal(count))
    scale = mean / usual
    return _whole(np.minimum(drawn, LONGEST_OUTPUT) * scale)


def _whole(values: Floats) -> Tokens:
    return np.maximum(1, np.rint(values)).astype(np.int64)


def _clients(shape: WorkloadShape, rng: Generator) -> list[tuple[float, float]]:
    """(share of the load, variation of the gaps) of each client."""
    weights = np.arange(1, int(shape.clients) + 1, dtype=np.float64) ** -shape.zipf
    variations = np.clip(shape.burstiness * np.exp(0.4 * rng.standard_normal(len(weights))), 0.3, 4.0)
    return list(zip((weights / weights.sum()).tolist(), variations.tolist(), strict=True))


def _renewals(rng: Generator, until: float, cv: float) -> Floats:
    """Times of a renewal process of unit rate and Gamma gaps on [0, until)."""
    form = 1.0 / cv**2
    count = int(until + 6 * cv * np.sqrt(until + 1) + 20)
    times = np.cumsum(rng.gamma(form, 1.0 / form, count))
    return np.asarray(times[times < until], dtype=np.float64)


def _liveliness(shape: WorkloadShape, rng: Generator) -> Floats:
    """One day's factor per minute: a slow drift, and bursts that come and go."""
    knots = rng.standard_normal(13) * shape.wander
    minute = np.arange(MINUTES)
    factor = np.exp(np.interp(minute, np.linspace(0, MINUTES, 13), knots) - shape.wander**2 / 2)
    for _ in range(rng.poisson(shape.bursts_per_day)):
        begin, length = rng.uniform(0, MINUTES), max(1.0, rng.exponential(shape.burst_minutes))
        inside = np.clip(np.minimum(minute - begin, begin + length - minute) / 2.0, 0.0, 1.0)
        factor = factor * (1.0 + (shape.burst_height - 1.0) * inside)
    return factor
