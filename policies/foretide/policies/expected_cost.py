"""The count with the least expected cost: GPU time against requests that are expected to miss (papers.md 4.2).

With n replicas of capacity C(n), of r requests/s in a bin of work w the share a x exp(s x) misses, where x is the
overload w / C(n) - 1, a the share that the promise allows and s the table's steepness. Where that would be more than
all, it goes on as the tangent 1 + s x (x - x1): those are the requests that find the queue which this bin leaves
behind. The share is convex and grows with demand, so that no overload is ever so hopeless that fewer replicas would
be the answer. The expectation is over joint paths, each at its own draw of the replica speed.

What is NOT promised: the exact length of such a queue.
"""

from collections.abc import Callable

import numpy as np

from foretide.policies.ahead import Ahead
from foretide.policies.flow import CapacityTable, Evidence, Floats

USUAL_STEEPNESS = 20.0
"""Where the capacity table does not know its own."""
CANDIDATES = 24
"""Up to so many counts are all looked at; of more, so many of them, and then what lies around the best one."""
CAUTION = 2.0
"""Factor on the price of a miss when a replica would be given up: taking it back costs a start, and noise around the
cheapest count does not flap. Between the two answers lies the lazy band (papers.md 4.6)."""
NEGLIGIBLE = 1e-9
"""Work/s that no replica at all is taken to carry."""
HOUR_S = 3600.0


def count_by_cost(evidence: Evidence, ahead: Ahead) -> int:
    """The cheapest count in [minReplicas, maxReplicas]. Raises ValueError for an objective without costs.

    What is ordered now helps only after a start, so that only bins after one speak for more. What is given up is
    missed at once, so that all bins speak against fewer.
    """
    costs, pool = evidence.objective.costs, evidence.pool
    if costs is None:
        raise ValueError("objective.costs: none: give gpuHour and violation")

    def cheapest(seen: Ahead, caution: float) -> int:
        def hourly(count: int) -> float:
            return hourly_cost(evidence, seen, count, miss=caution * costs.violation, gpu_hour=costs.gpu_hour)

        return cheapest_count(hourly, least=min(pool.min_replicas, pool.max_replicas), most=pool.max_replicas)

    wanted = cheapest(ahead.since(evidence.cold_start.quantile(0.5)), 1.0)
    if wanted >= pool.desired:
        return wanted
    return min(pool.desired, max(wanted, cheapest(ahead, CAUTION)))


def hourly_cost(evidence: Evidence, ahead: Ahead, replicas: int, *, miss: float, gpu_hour: float) -> float:
    """Expected cost per hour of so many replicas at these prices."""
    allowed = 1.0 - evidence.objective.required_joint()
    missed = HOUR_S * expected_misses(ahead, evidence.service.capacity, replicas, allowed=allowed)
    return gpu_hour * evidence.pool.gpus_per_replica * replicas + miss * missed


def cost_told(evidence: Evidence, ahead: Ahead, replicas: int) -> float | None:
    """Expected cost per hour at the owner's prices; None where the objective names none."""
    costs = evidence.objective.costs
    if costs is None:
        return None
    return hourly_cost(evidence, ahead, replicas, miss=costs.violation, gpu_hour=costs.gpu_hour)


def expected_misses(ahead: Ahead, capacity: CapacityTable, replicas: int, *, allowed: float) -> float:
    """Requests/s that miss with so many replicas, mean over paths and bins; `allowed` is the share at the limit."""
    carried = max(capacity.total(replicas), NEGLIGIBLE)
    steepness = capacity.steepness if capacity.steepness > 0 else USUAL_STEEPNESS
    return float((ahead.requests * missed_share(ahead.work / carried - 1.0, steepness, allowed)).mean())


def missed_share(overload: Floats, steepness: float, allowed: float) -> Floats:
    """Missed requests for each that arrives, by relative overload; above 1 where later ones wait for these."""
    everyone = -np.log(allowed) / steepness
    within = allowed * np.exp(steepness * np.minimum(overload, everyone))
    return np.asarray(within + steepness * np.maximum(0.0, overload - everyone), dtype=np.float64)


def cheapest_count(cost: Callable[[int], float], *, least: int, most: int) -> int:
    """The count in [least, most] of the least cost, which is convex in the count; of equal ones the smallest."""
    while most - least >= CANDIDATES:
        grid = np.unique(np.rint(np.linspace(least, most, CANDIDATES)).astype(int)).tolist()
        place = min(range(len(grid)), key=lambda index: cost(grid[index]))
        least, most = grid[max(0, place - 1)], grid[min(len(grid) - 1, place + 1)]
    return min(range(least, most + 1), key=cost)
