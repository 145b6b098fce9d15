"""The oracle: what perfect knowledge of demand, and of the run's result, would have paid. Hindsight is allowed here.

A plan is the cheapest sequence of counts for the true work, with a start paid for from its order on, found by dynamic
programming (`right_sizing`). Two kinds: one pays a price for each request that a bin is expected to miss, as the
capacity table says how fast misses grow beyond the limit; the other carries a margin of every bin's work. Price and
margin are found by bisection over full simulated runs: the cheapest plan whose joint attainment is what the promise
amounts to (its strictest percentile). Runs of other policies that keep the promise are candidates as well, and so is
the smaller of the best two at every moment; so the oracle is never dearer than a policy that keeps it.

What is NOT promised: the optimum over all plans. Bins are planned as if no queue went from one to the next; the runs
show what became of that. It bounds the compared policies, not every conceivable one.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from foretide.policies.flow import REQUESTS, Floats
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.right_sizing import cheapest
from foretide.simulator.rivals import demand_rows
from foretide.simulator.run import LAG_S, Bench, PolicyRun, Progress, run_policy
from foretide.simulator.score import attainment

NAME = "oracle"
BIN_S = 30.0
"""Work is looked at in bins of this length: shorter than a cold start, long enough to average over requests."""
LEAD_QUANTILE = 0.9
PRICES = (1e-2, 1e2)
"""Replica-seconds that a missed request may cost, between which the right price is sought."""
MARGINS = (0.7, 1.4)
"""Shares of the work that counts may have to carry."""
ROUNDS = 6
"""Of either search."""
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
        self._required = bench.scenario.objective.required_joint()
        rows = demand_rows(bench.trace, start=0.0, end=bench.duration_s + BIN_S, step=BIN_S)
        capacity, most = bench.service.capacity, bench.scenario.max_replicas
        self._work = bench.service.work.of(rows)
        self._limits = np.array([capacity.total(count) for count in range(most + 1)])
        self._missed = missed(
            work=self._work,
            requests=BIN_S * rows[:, REQUESTS],
            limits=self._limits,
            allowed=1.0 - self._required,
            steepness=capacity.steepness or USUAL_STEEPNESS,
        )

    def keeps(self, run: PolicyRun) -> bool:
        return self.joint(run) >= self._required

    def joint(self, run: PolicyRun) -> float:
        return attainment(outcome=run.outcome, objective=self._bench.scenario.objective)["joint"] or 0.0

    def best(self) -> PolicyRun:
        """The cheapest plan found that keeps the promise; where none does, the one that comes nearest to it."""
        runs = [
            *self._bisected(lambda log: self.priced(float(np.exp(log))), *np.log(PRICES)),
            *self._bisected(self.covered, *MARGINS),
        ]
        kept = [run for run in runs if self.keeps(run)]
        return min(kept, key=lambda run: run.gpu_hours) if kept else max(runs, key=self.joint)

    def _bisected(self, plan: Callable[[float], Orders], low: float, high: float) -> list[PolicyRun]:
        """The runs of a search for the smallest value that keeps the promise; attainment all but grows with it."""
        runs = []
        for _ in range(ROUNDS):
            middle = (low + high) / 2
            runs.append(self.run(plan(middle)))
            low, high = (low, middle) if self.keeps(runs[-1]) else (middle, high)
        return runs

    def priced(self, price: float) -> Orders:
        """Orders for the cheapest counts when a missed request costs `price` replica-seconds."""
        return self._plan(price * self._missed)

    def covered(self, margin: float) -> Orders:
        """Orders for the cheapest counts that carry `margin` x the work of every bin, as far as any count does."""
        enough = self._limits[None, :] >= margin * self._work[:, None]
        enough[:, -1] = True
        return self._plan(np.where(enough, 0.0, np.inf))

    def _plan(self, penalty: Floats) -> Orders:
        bench = self._bench
        cold = bench.scenario.cold_start
        lead = lead_s(cold.median_s, cold.sigma)
        stage = BIN_S * np.arange(bench.scenario.max_replicas + 1.0) + penalty
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
        return lambda share: told((round_ - 1 + share) / (2 * ROUNDS + 1))


def missed(*, work: Floats, requests: Floats, limits: Floats, allowed: float, steepness: float) -> Floats:
    """Requests of each bin expected to miss with each count, (T, counts); `limits` is the work/s that a count carries.

    At the limit the allowed share misses; at (1 + x) times the limit, exp(steepness x) times as many, at most all.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        over = np.nan_to_num(work[:, None] / limits[None, :], nan=0.0, posinf=np.inf) - 1.0
    share = np.minimum(1.0, allowed * np.exp(np.minimum(50.0, steepness * over)))
    return np.asarray(requests[:, None] * share)


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
