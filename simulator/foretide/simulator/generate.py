"""Generated LLM traffic. It is generated, not recorded, and everything that shows it says so.

Calibrated to published statistics: token lengths to the conversation trace of the Azure LLM inference dataset 2023
(prompt mean 1155, median 1020, p99 4142; output mean 211, median 129, p99 601) and to those that `lengths` names;
arrivals as ServeGen (arXiv 2505.09999) describes them: a few clients carry most of the load, each a renewal process of
its own burstiness, under a common daily and weekly shape. What a client starts is a single request, a conversation or
an agent's loop; `mean_rps` counts all requests, those that follow included.

What is NOT promised: clients whose own lengths differ, or, with conversations and agents, answers that come at the
fleet's time instead of a nominal one (see `chains`).
"""

import numpy as np
from numpy.random import Generator

from foretide.policies.flow import Floats, frozen
from foretide.simulator.chains import Calls, joined, single, unfold, usual
from foretide.simulator.clients import Client, arrivals, draw_clients, overdispersion
from foretide.simulator.lengths import PROMPT_SIGMA, correlated, mixed_lengths, output_lengths, prompt_lengths
from foretide.simulator.prefixes import blocks_of
from foretide.simulator.requests import RequestTrace, refuse_more_than_most
from foretide.simulator.rhythm import intensity, lateness
from foretide.simulator.shape import Agents, Conversations, WorkloadShape

__all__ = ["Agents", "Conversations", "WorkloadShape", "demand_counts", "generate"]

LONGEST_WARM_UP = 14
"""Days before the first at most, so that chains are under way when it begins."""
OUTPUT_SPREAD = 0.8


def generate(shape: WorkloadShape, *, seed: int) -> RequestTrace:
    """The trace of a shape, from midnight of day 0. The same for the same seed. Raises BadTrace."""
    refuse_more_than_most(shape.mean_rps * shape.days * shape.day_s)
    calls = _requests(shape, np.random.default_rng((seed, 0)), seed=seed, first_day=0, days=shape.days)
    at = calls.arrival_s
    return RequestTrace(
        arrival_s=frozen(at - at[0] if len(at) else at),
        prompt_tokens=calls.prompt_tokens,
        output_tokens=calls.output_tokens,
        blocks=blocks_of(calls, tokens=int(shape.block_tokens)) if shape.chained else None,
    )


def demand_counts(shape: WorkloadShape, *, days: float, step: float, seed: int) -> Floats:
    """Demand of the `days` before the trace, per second, (T, 3): counts with the clients' burstiness, mean lengths.

    The same daily and weekly shape with other bursts and another drift, as yesterday differs from today. Where lengths
    drift or requests follow from one another, the days before are generated like the trace and counted.
    """
    whole = max(1, int(np.ceil(days)))
    bins = int(whole * shape.day_s / step)
    grid = np.arange(-bins, 1, dtype=np.float64) * step
    plain = not (shape.mix or shape.chained)
    rows = _drawn_counts(shape, grid, days=whole, seed=seed) if plain else _counted(shape, grid, days=whole, seed=seed)
    return frozen(rows[len(rows) - int(days * shape.day_s / step) :] / step)


def _drawn_counts(shape: WorkloadShape, grid: Floats, *, days: int, seed: int) -> Floats:
    """Requests and tokens of each bin, (T, 3), without a request ever being made."""
    rng = np.random.default_rng((seed, 1))
    edges, rate = intensity(shape, seed=seed, first_day=-days, days=days)
    mass = np.concatenate([[0.0], np.cumsum(rate * np.diff(edges))])
    mean = np.maximum(np.diff(np.interp(grid, edges, mass)), 1e-12)
    # Counts of a renewal process with gaps of variation cv have a variance of about cv^2 times their mean.
    excess = max(1e-6, overdispersion(_clients(shape, rng)) - 1.0)
    counts = rng.poisson(rng.gamma(mean / excess, excess)).astype(np.float64)
    spread = 1.0 / np.sqrt(np.maximum(counts, 1.0))
    prompt = shape.prompt_mean * np.exp(PROMPT_SIGMA * spread * rng.standard_normal(len(mean)))
    output = shape.output_mean * np.exp(OUTPUT_SPREAD * spread * rng.standard_normal(len(mean)))
    return np.stack([counts, counts * prompt, counts * output], axis=1)


def _counted(shape: WorkloadShape, grid: Floats, *, days: int, seed: int) -> Floats:
    """The same from generated requests, a day at a time to keep memory flat."""
    rows = np.zeros((len(grid) - 1, 3))
    for day in range(-days, 0):
        rng = np.random.default_rng((seed, 1, -day))
        calls = _requests(shape, rng, seed=seed, first_day=day, days=1.0)
        for column, weights in enumerate((None, calls.prompt_tokens, calls.output_tokens)):
            rows[:, column] += np.histogram(calls.arrival_s, bins=grid, weights=weights)[0]
    return rows


def _requests(shape: WorkloadShape, rng: Generator, *, seed: int, first_day: int, days: float) -> Calls:
    """Everything that arrives in these days, ascending; times from midnight of day 0."""
    early = _warm_up(shape)
    edges, rate = intensity(shape, seed=seed, first_day=first_day - early, days=days + early)
    shares, per_request = _kinds(shape)
    starts = arrivals(rng, _clients(shape, rng), edges, rate * per_request)
    if not shape.chained:
        return _singles(shape, rng, starts)
    kind = np.searchsorted(np.cumsum(shares)[:-1], rng.random(len(starts)), side="right")
    parts = [_singles(shape, rng, starts[kind == 0])]
    parts += [unfold(rng, part.chain(), starts[kind == n]) for n, part in enumerate(shape.chained, start=1)]
    calls = joined(parts)
    begin, end = first_day * shape.day_s, (first_day + days) * shape.day_s
    inside = np.flatnonzero((calls.arrival_s >= begin) & (calls.arrival_s < end))
    return calls.where(inside[np.argsort(calls.arrival_s[inside], kind="stable")])


def _clients(shape: WorkloadShape, rng: Generator) -> list[Client]:
    return draw_clients(
        rng,
        count=int(shape.clients),
        zipf=shape.zipf,
        burstiness=shape.burstiness,
        spread=shape.burstiness_spread,
        gaps=shape.gaps,
    )


def _singles(shape: WorkloadShape, rng: Generator, at: Floats) -> Calls:
    if shape.mix:
        late = lateness(at / shape.day_s)
        night = shape.night_mix or shape.mix
        return single(at, *mixed_lengths(rng, late, by_night=night, by_day=shape.mix, correlation=shape.correlation))
    prompt = prompt_lengths(rng, len(at), mean=shape.prompt_mean)
    output = output_lengths(rng, len(at), mean=shape.output_mean)
    return single(at, prompt, correlated(rng, prompt, output, correlation=shape.correlation))


def _kinds(shape: WorkloadShape) -> tuple[Floats, float]:
    """Shares of what clients start (single requests first, then the chained parts), and starts for each request."""
    lengths = [1.0, *(usual(part.chain())[0] for part in shape.chained)]
    requests = np.array([1.0 - sum(part.share for part in shape.chained), *(part.share for part in shape.chained)])
    starts = requests / np.array(lengths)
    return starts / starts.sum(), float(starts.sum())


def _warm_up(shape: WorkloadShape) -> int:
    """Whole days after which 99 % of the chains that began before them have ended."""
    longest = max((usual(part.chain())[1] for part in shape.chained), default=0.0)
    return min(LONGEST_WARM_UP, int(np.ceil(longest / shape.day_s)))
