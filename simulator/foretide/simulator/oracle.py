"""The oracle: what perfect knowledge of demand, and of the run's result, would have paid. Hindsight is allowed here.

A plan orders what the true work will need, one cold start early, and lowers at once. How much of the capacity table's
load it dares to use (`margin`) is found by bisection over full simulated runs: the cheapest plan whose joint attainment
is what the promise amounts to (its strictest percentile). Runs of other policies that reach it are candidates as well,
and so is the smaller of the best two at every moment; so the oracle is never dearer than a policy that keeps the
promise.

What is NOT promised: the optimum over all plans. It bounds the compared policies, not every conceivable one.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from foretide.policies.flow import Floats
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.rivals import demand_rows, fewest_for
from foretide.simulator.run import LAG_S, Bench, PolicyRun, Progress, run_policy
from foretide.simulator.score import attainment, required_joint

NAME = "oracle"
BIN_S = 30.0
"""Work is looked at in bins of this length: shorter than a cold start, long enough to average over requests."""
LEAD_QUANTILE = 0.9
MARGINS = (0.6, 1.5)
ROUNDS = 7

Orders = tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Trajectory:
    """Carries out orders that were written down before: (seconds from the start of the run, desired count)."""

    name: str
    orders: Orders
    begins_s: float
    interval_s: float = LAG_S

    @property
    def begins_with(self) -> int:
        return self.orders[0][1]

    def decide(self, view: View) -> Choice:
        wanted = standing(self.orders, view.now - self.begins_s)
        return Choice(wanted if wanted != view.desired else None, "Hindsight", f"knows that {wanted} are needed")


def standing(orders: Orders, at: float) -> int:
    """The count that `orders` hold at time `at`."""
    index = bisect_right(orders, at + 1e-6, key=lambda order: order[0]) - 1
    return orders[max(0, index)][1]


def oracle(*, bench: Bench, others: Sequence[PolicyRun] = (), progress: Progress | None = None) -> PolicyRun:
    """The cheapest run found that keeps the promise; where none does, the one that comes nearest."""
    search = _Search(bench, progress)
    planned = search.best_margin()
    kept = [run for run in (*others, planned) if search.keeps(run)]
    if not kept:
        return replace(planned, note="no plan reached the promised joint attainment; this one came nearest")
    cheapest = min(kept, key=lambda run: run.gpu_hours)
    rival = min(others, key=lambda run: (not search.keeps(run), run.gpu_hours), default=None)
    if rival is not None and search.keeps(rival) and search.keeps(planned):
        blended = search.run(lower_of(planned.orders, rival.orders))
        cheapest = min((run for run in (cheapest, blended) if search.keeps(run)), key=lambda run: run.gpu_hours)
    found = "its own plan" if cheapest.policy == NAME else f"the orders of {cheapest.policy}, in hindsight"
    return replace(cheapest, policy=NAME, note=f"hindsight: {found}", plan_ms=())


class _Search:
    def __init__(self, bench: Bench, progress: Progress | None) -> None:
        self._bench = bench
        self._progress = progress
        self._done = 0
        self._required = required_joint(bench.scenario.objective)
        self._work = bench.service.work.of(
            demand_rows(bench.trace, start=0.0, end=bench.duration_s + BIN_S, step=BIN_S)
        )

    def keeps(self, run: PolicyRun) -> bool:
        return self.joint(run) >= self._required

    def joint(self, run: PolicyRun) -> float:
        return attainment(outcome=run.outcome, objective=self._bench.scenario.objective)["joint"] or 0.0

    def best_margin(self) -> PolicyRun:
        """Bisection for the smallest margin that keeps the promise; attainment grows with it, all but monotonically."""
        low, high = MARGINS
        runs = []
        for _ in range(ROUNDS):
            middle = (low + high) / 2
            run = self.run(self.plan(middle))
            runs.append(run)
            low, high = (low, middle) if self.keeps(run) else (middle, high)
        kept = [run for run in runs if self.keeps(run)]
        return min(kept, key=lambda run: run.gpu_hours) if kept else max(runs, key=self.joint)

    def plan(self, margin: float) -> Orders:
        """Orders that have `margin` x the needed capacity ready whenever it is needed, and nothing for longer."""
        bench = self._bench
        capacity, most = bench.service.capacity, bench.scenario.max_replicas
        cold = bench.scenario.cold_start
        ahead = 1 + int(np.ceil(lead_s(cold.median_s, cold.sigma) / BIN_S))
        needed = np.array([fewest_for(float(work) * margin, capacity=capacity, most=most) for work in self._work])
        wanted = np.maximum(rolling_maximum(needed, ahead), bench.scenario.min_replicas)
        return ((0.0, bench.initial), *((i * BIN_S + LAG_S, int(count)) for i, count in enumerate(wanted)))

    def run(self, orders: Orders) -> PolicyRun:
        trajectory = Trajectory(NAME, orders, self._bench.begins_s)
        self._done += 1
        return run_policy(bench=self._bench, autoscaler=trajectory, progress=self._within(self._done))

    def _within(self, round_: int) -> Callable[[float], None] | None:
        """Progress of the whole search, of which the present run is one part."""
        told = self._progress
        if told is None:
            return None
        return lambda share: told((round_ - 1 + share) / (ROUNDS + 1))


def lead_s(median_s: float, sigma: float) -> float:
    """A cold start at LEAD_QUANTILE, in seconds."""
    return float(median_s * np.exp(sigma * 1.2815515655446004))


def rolling_maximum(values: Floats, ahead: int) -> Floats:
    """The largest of each value and the `ahead` that follow it."""
    padded = np.concatenate([values, np.full(ahead, values[-1])])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, ahead + 1).max(axis=1), dtype=np.float64)


def lower_of(one: Orders, other: Orders) -> Orders:
    """At every moment the smaller of the two counts."""
    times = sorted({time for time, _ in one} | {time for time, _ in other})
    merged = [(time, min(standing(one, time), standing(other, time))) for time in times]
    return tuple(order for i, order in enumerate(merged) if i == 0 or order[1] != merged[i - 1][1])
