"""The cheapest sequence of counts where going up costs something, by dynamic programming over the whole of the future.

The offline problem of right-sizing with switching cost (papers.md 4.6): minimise the sum of stage costs and of `rise`
for each replica that is added; taking one away is free. A lead time is such a cost, since a start is paid for from its
order on, so that the best plan keeps a replica through any valley shorter than its start.

What is NOT promised: that the future is known. This is for those who look back.
"""

import numpy as np

from foretide.policies.flow import Floats


def cheapest(stage: Floats, *, rise: float, first: int) -> Floats:
    """Counts (T,), each of 0 to N, that minimise the cost, having begun with `first`; of equal ones the smallest.

    `stage` is (T, N + 1): the cost of each count in each bin, infinite where it is not allowed. One finite per bin.
    """
    to_go = np.empty_like(stage)
    to_go[-1] = stage[-1]
    for t in range(len(stage) - 2, -1, -1):
        to_go[t] = stage[t] + _onwards(to_go[t + 1], rise)
    counts, each = np.empty(len(stage)), np.arange(stage.shape[1])
    before = first
    for t, costs in enumerate(to_go):
        before = int(np.argmin(costs + rise * np.maximum(0, each - before)))
        counts[t] = before
    return counts


def cost_of(counts: Floats, stage: Floats, *, rise: float, first: int) -> float:
    """What a sequence of counts costs."""
    steps = np.diff(np.r_[first, counts])
    return float(stage[np.arange(len(stage)), counts.astype(np.int64)].sum() + rise * np.maximum(0, steps).sum())


def _onwards(following: Floats, rise: float) -> Floats:
    """The least cost of what follows, by the count that one comes from."""
    climbs = rise * np.arange(len(following))
    lower = np.minimum.accumulate(following)
    higher = np.minimum.accumulate((following + climbs)[::-1])[::-1] - climbs
    return np.asarray(np.minimum(lower, higher))
