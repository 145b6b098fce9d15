"""Requests that would have shown the demand that was recorded: counts per bin as they were, all else drawn.

Arrivals are even in chance within a bin, lengths lognormal around the bin's means with the spread of public traces.
What comes out is reconstructed traffic, and is called so wherever it is shown.

What is NOT promised: bursts shorter than a bin, sessions, or prefixes that requests shared. They were not recorded.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from foretide.policies.flow import OUTPUT_TOKENS, PROMPT_TOKENS, REQUESTS, DemandHistory, Floats, frozen
from foretide.simulator.requests import RequestTrace, Tokens, refuse_more_than_most

LENGTH_SIGMAS = (1.0, 0.8)
"""Spread of the logarithms of prompt and output lengths around their means, which is about that of public traces."""
LONGEST = 16.0
"""Longest length, in means."""


@dataclass(frozen=True, slots=True, eq=False)
class Bridged:
    """Demand without gaps, shape (T, 3); the row of the history with which it begins; the share that were gaps."""

    rows: Floats
    first: int
    share: float


def bridged(history: DemandHistory) -> Bridged:
    """The history from its first request to its last measured row, with straight lines over its gaps.

    Raises ValueError where no request was measured.
    """
    known = np.flatnonzero(np.isfinite(history.values).all(axis=1))
    busy = known[history.values[known, REQUESTS] > 0]
    if not len(busy):
        raise ValueError("no request was measured")
    first, last = int(busy[0]), int(known[-1])
    at = np.arange(first, last + 1)
    rows = np.column_stack([np.interp(at, known, history.values[known, column]) for column in range(3)])
    return Bridged(frozen(rows), first, 1.0 - float(np.isin(at, known).mean()))


def reconstructed(rows: Floats, *, step: float, longest: int, seed: int) -> RequestTrace:
    """Requests of demand (T, 3) per second in bins of `step` seconds; prompt and answer fit into `longest` tokens.

    Times count from the first row. Raises BadTrace where there are more than a run can hold.
    """
    rng = np.random.default_rng(seed)
    expected = rows[:, REQUESTS] * step
    refuse_more_than_most(float(expected.sum()))
    # The count was observed, its chance has happened already: it is rounded at random, not drawn once more.
    counts = np.floor(expected + rng.random(len(expected))).astype(np.int64)
    bins = np.repeat(np.arange(len(rows)), counts)
    arrival = np.sort((bins + rng.random(len(bins))) * step)
    means = rows[:, [PROMPT_TOKENS, OUTPUT_TOKENS]] / np.where(rows[:, REQUESTS] > 0, rows[:, REQUESTS], 1.0)[:, None]
    prompts, outputs = (_lengths(means[bins, i], sigma, rng) for i, sigma in enumerate(LENGTH_SIGMAS))
    outputs = np.minimum(outputs, longest - 1)
    return RequestTrace(frozen(arrival), np.minimum(prompts, longest - outputs), outputs)


def _lengths(means: Floats, sigma: float, rng: Generator) -> Tokens:
    drawn = means * rng.lognormal(-(sigma**2) / 2, sigma, len(means))
    return np.clip(np.rint(drawn), 1, np.maximum(1, LONGEST * means)).astype(np.int64)
