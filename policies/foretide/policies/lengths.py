"""How long requests are of late, in steps: what a capacity is measured for, and when it must be measured anew.

What is NOT promised: the spread of lengths. Only their means are in a demand history.
"""

import numpy as np

from foretide.policies.flow import OUTPUT_TOKENS, PROMPT_TOKENS, REQUESTS, DemandHistory, Floats

Lengths = tuple[int, int]
"""Prompt and output tokens per request."""
LATELY_S, LATELY_REQUESTS = 300.0, 1000.0
"""Of so many seconds, and of so many requests at least: answers that become longer are seen within minutes."""
NEAR = 0.75
"""In octaves. Rounding alone would turn over at a half, to and fro."""


def mean_lengths(history: DemandHistory, before: Lengths | None = None) -> Lengths | None:
    """Means of late, to powers of two; None where there were no requests.

    Each stays as it was `before` until it is NEAR octaves off.
    """
    totals = _lately(history)
    if totals[REQUESTS] <= 0:
        return None
    means = totals[[PROMPT_TOKENS, OUTPUT_TOKENS]] / totals[REQUESTS]
    if before is None:
        before = (0, 0)
    return _stepped(float(means[0]), before[0]), _stepped(float(means[1]), before[1])


def _lately(history: DemandHistory) -> Floats:
    """Requests and tokens of the newest known bins, enough to be the present and no chance."""
    known = history.values[np.isfinite(history.values).all(axis=1)][::-1] * history.step
    if not len(known):
        return np.zeros(3)
    running = known.cumsum(axis=0)
    enough = (running[:, REQUESTS] >= LATELY_REQUESTS) & (np.arange(1, len(known) + 1) * history.step >= LATELY_S)
    return np.asarray(running[int(enough.argmax()) if enough.any() else -1], dtype=np.float64)


def _stepped(mean: float, before: int) -> int:
    octaves = float(np.log2(max(mean, 1.0)))
    if before and abs(octaves - np.log2(before)) < NEAR:
        return before
    return int(2 ** round(octaves))
