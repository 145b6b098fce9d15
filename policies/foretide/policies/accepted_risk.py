"""The fewest replicas whose probability of breaking the objective is accepted: a chance constraint over joint paths.

`CapacityTable` says what load n replicas carry while every declared percentile holds, and how fast misses grow beyond
it. A path breaks the objective with n replicas when, in some window of the planning horizon, the misses that its load
causes are more than the objective allows on average.

What is NOT promised: that the accepted risk is reached. Counts are whole, so that the risk is usually smaller.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from foretide.policies.ahead import Ahead, recent_work
from foretide.policies.flow import CapacityTable, Evidence, Floats

LOWERING_CAUTION = 0.5
"""Going down must leave at most this share of the accepted risk, so that noise around a threshold does not flap."""
LARGEST_EXPONENT = 50.0
NEGLIGIBLE = 1e-9
"""Work/s that is as good as none."""


def count_by_risk(evidence: Evidence, ahead: Ahead) -> int:
    """The smallest count whose risk is accepted; going down needs a smaller risk than staying."""
    accepted = evidence.objective.max_violation_probability
    wanted = smallest_count(evidence, ahead, accepted)
    if wanted >= evidence.pool.desired:
        return wanted
    return min(smallest_count(evidence, ahead, LOWERING_CAUTION * accepted), evidence.pool.desired)


def smallest_count(evidence: Evidence, ahead: Ahead, accepted: float) -> int:
    """Fewest replicas with an accepted risk that also carry what is asked right now; maxReplicas + 1 if none do.

    The newest measured demand is a floor: a forecast may only add to what is already needed.
    """
    asked_now = recent_work(evidence.history, evidence.service)
    return fewest_within(
        ahead, evidence.service.capacity, accepted, most=evidence.pool.max_replicas, asked_now=asked_now
    )


def fewest_within(ahead: Ahead, capacity: CapacityTable, accepted: float, *, most: int, asked_now: float = 0.0) -> int:
    """Fewest replicas with an accepted risk that also carry `asked_now` work/s; `most` + 1 if none do."""

    def enough(count: int) -> bool:
        carried = capacity.total(count)
        return carried >= asked_now and violation_probability(ahead, capacity, count) <= accepted + 1e-9

    return fewest(enough, most=most)


def fewest_carrying(work: float, capacity: CapacityTable, *, most: int) -> int:
    """Fewest replicas that carry `work` per second; `most` + 1 if none do."""
    return fewest(lambda count: capacity.total(count) >= work, most=most)


def fewest(enough: Callable[[int], bool], *, most: int) -> int:
    """The smallest count from 0 to `most` that is enough, by bisection; `most` + 1 where none is."""
    low, high = 0, most + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def violation_probability(ahead: Ahead, capacity: CapacityTable, replicas: int) -> float:
    """Share of paths in which some window misses more than the objective allows."""
    return float(broken_paths(ahead, capacity, replicas).mean())


def misses_at(overload: Floats, capacity: CapacityTable) -> Floats:
    """Misses over those that the objective allows, where load is `overload` above what is carried."""
    return np.asarray(np.exp(np.minimum(capacity.steepness * overload, LARGEST_EXPONENT)))


def broken_paths(ahead: Ahead, capacity: CapacityTable, replicas: int) -> NDArray[np.bool_]:
    """Whether some window of each path misses more than the objective allows: (K,)."""
    carried = capacity.total(replicas)
    if carried < NEGLIGIBLE:
        return np.asarray(ahead.work.max(axis=1) > 0)
    overload = ahead.work / carried - 1.0
    if capacity.steepness <= 0:
        return np.asarray((overload > 0).any(axis=1))
    misses = misses_at(overload, capacity)
    sums = np.cumsum(np.pad(misses, ((0, 0), (1, 0))), axis=1)
    means = (sums[:, ahead.window :] - sums[:, : -ahead.window]) / ahead.window
    return np.asarray(means.max(axis=1) > 1.0)
