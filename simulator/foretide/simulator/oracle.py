"""The oracle: what perfect knowledge of demand, and of the run's result, would have paid. Hindsight is allowed here.

A plan is the cheapest sequence of counts for the true work, with a start paid for from its order on, found by dynamic
programming (`right_sizing`). A bin's cost is its GPU time and a price for each request that it is expected to miss: the
capacity table says how fast misses grow beyond the limit. The price is found by bisection over full simulated runs: the
cheapest plan whose joint attainment is what the promise amounts to (its strictest percentile), and between it and the
next cheaper one, the earliest moment to change over. Runs of other policies that keep the promise are candidates as
well, and so is the smaller of the best two at every moment; so the oracle is never dearer than a policy that keeps it.

What is NOT promised: the optimum over all plans. Bins are planned as if no queue went from one to the next; the runs
show what became of that. It bounds the compared policies, not every conceivable one.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from foretide.policies.flow import REQUESTS, CapacityTable, Floats
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.right_sizing import cheapest
from foretide.simulator.rivals import demand_rows
from foretide.simulator.run import LAG_S, Bench, PolicyRun, Progress, run_policy
from foretide.simulator.score import attainment, required_joint

NAME = "oracle"
BIN_S = 30.0
"""Work is looked at in bins of this length: shorter than a cold start, long enough to average over requests."""
LEAD_QUANTILE = 0.9
PRICES = (1e-3, 1e3)
"""Replica-seconds that a missed request may cost, between which the right price is sought."""
ROUNDS, SPLICES = 6, 4
USUAL_STEEPNESS = 20.0
"""Where the capacity table does not know its own: a tenth beyond the limit, seven times as many misses."""

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
    planned = search.best()
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
        rows = demand_rows(bench.trace, start=0.0, end=bench.duration_s + BIN_S, step=BIN_S)
        self._missed = missed(
            work=bench.service.work.of(rows),
            requests=BIN_S * rows[:, REQUESTS],
            capacity=bench.service.capacity,
            allowed=1.0 - self._required,
            most=bench.scenario.max_replicas,
        )

    def keeps(self, run: PolicyRun) -> bool:
        return self.joint(run) >= self._required

    def joint(self, run: PolicyRun) -> float:
        return attainment(outcome=run.outcome, objective=self._bench.scenario.objective)["joint"] or 0.0

    def best(self) -> PolicyRun:
        """The cheapest plan found that keeps the promise; where none does, the one that comes nearest to it."""
        dear, cheap, runs = self._prices()
        if dear is not None and cheap is not None:
            runs += self._splices(dear, cheap)
        kept = [run for run in runs if self.keeps(run)]
        return min(kept, key=lambda run: run.gpu_hours) if kept else max(runs, key=self.joint)

    def _prices(self) -> tuple[Orders | None, Orders | None, list[PolicyRun]]:
        """Bisection for the smallest price that keeps the promise: plans just above and just below it, and all runs."""
        low, high = np.log(PRICES)
        dear = cheap = None
        runs = []
        for round_ in range(ROUNDS + SPLICES):
            if round_ >= ROUNDS and dear is not None and cheap is not None:
                break
            middle = (low + high) / 2
            orders = self.plan(float(np.exp(middle)))
            runs.append(self.run(orders))
            if self.keeps(runs[-1]):
                high, dear = middle, orders
            else:
                low, cheap = middle, orders
        return dear, cheap, runs

    def _splices(self, dear: Orders, cheap: Orders) -> list[PolicyRun]:
        """Where counts are few, a price changes many bins at once: bisection for how long the dear plan is needed."""
        low, high = 0.0, self._bench.duration_s
        runs = []
        for _ in range(SPLICES):
            middle = (low + high) / 2
            runs.append(self.run(spliced(dear, cheap, at=middle)))
            low, high = (low, middle) if self.keeps(runs[-1]) else (middle, high)
        return runs

    def plan(self, price: float) -> Orders:
        """Orders for the cheapest counts when a missed request costs `price` replica-seconds."""
        bench = self._bench
        cold = bench.scenario.cold_start
        lead = lead_s(cold.median_s, cold.sigma)
        stage = BIN_S * np.arange(bench.scenario.max_replicas + 1.0) + price * self._missed
        stage[:, : bench.scenario.min_replicas] = np.inf
        counts = cheapest(stage, rise=lead, first=bench.initial)
        wanted = rolling_maximum(counts, 1 + int(np.ceil(lead / BIN_S)))
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
        return lambda share: told((round_ - 1 + share) / (ROUNDS + SPLICES + 1))


def missed(*, work: Floats, requests: Floats, capacity: CapacityTable, allowed: float, most: int) -> Floats:
    """Requests of each bin expected to miss with each count, (T, most + 1): all of them with none.

    At the limit the allowed share misses; at (1 + x) times the limit, exp(steepness x) times as many.
    """
    limits = np.array([capacity.total(count) for count in range(1, most + 1)])
    over = work[:, None] / limits[None, :] - 1.0
    share = np.minimum(1.0, allowed * np.exp(np.minimum(50.0, (capacity.steepness or USUAL_STEEPNESS) * over)))
    return np.asarray(requests[:, None] * np.column_stack([np.ones(len(work)), share]))


def lead_s(median_s: float, sigma: float) -> float:
    """A cold start at LEAD_QUANTILE, in seconds."""
    return float(median_s * np.exp(sigma * 1.2815515655446004))


def rolling_maximum(values: Floats, ahead: int) -> Floats:
    """The largest of each value and the `ahead` that follow it."""
    padded = np.concatenate([values, np.full(ahead, values[-1])])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, ahead + 1).max(axis=1), dtype=np.float64)


def spliced(first: Orders, then: Orders, *, at: float) -> Orders:
    """The orders of `first` up to `at`, those of `then` afterwards."""
    later = [order for order in then if order[0] > at]
    return (*[order for order in first if order[0] <= at], (at, standing(then, at)), *later)


def lower_of(one: Orders, other: Orders) -> Orders:
    """At every moment the smaller of the two counts."""
    times = sorted({time for time, _ in one} | {time for time, _ in other})
    merged = [(time, min(standing(one, time), standing(other, time))) for time in times]
    return tuple(order for i, order in enumerate(merged) if i == 0 or order[1] != merged[i - 1][1])
