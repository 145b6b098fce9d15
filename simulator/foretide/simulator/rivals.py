"""Fixed counts, and what an owner finds out by a load test before going live: peak, mean, concurrency per replica.

What is NOT promised: that a load test is enough. It knows the lengths of the training part, and no burst of tomorrow.
"""

from dataclasses import dataclass

import numpy as np

from foretide.policies.accepted_risk import fewest_carrying
from foretide.policies.flow import (
    OUTPUT_TOKENS,
    PROMPT_TOKENS,
    REQUESTS,
    CapacityTable,
    Floats,
    WorkPerUnit,
    frozen,
)
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.fleet import Fleet
from foretide.simulator.requests import RequestTrace
from foretide.simulator.run import Bench
from foretide.simulator.score import within

WAITING_TARGET = 5.0
"""Waiting requests per replica: the threshold in the vLLM production stack's autoscaling example."""
PEAK_MINUTE = 99.9
"""`static` is sized for this percentile of the minutes (papers.md 5.1)."""
CONCURRENCY_SHARE = 0.7
"""Share of the load-tested concurrency that an autoscaler on concurrency aims at: Knative's target utilisation."""
LOAD_TEST_REPLICAS, LOAD_TEST_S, WARM_UP_S = 8, 240.0, 60.0
NEVER_S = 1e9


@dataclass(frozen=True, slots=True)
class FixedCount:
    """The same count from the first moment on."""

    name: str
    replicas: int
    interval_s: float = NEVER_S

    @property
    def begins_with(self) -> int:
        return self.replicas

    def decide(self, view: View) -> Choice:  # noqa: ARG002 (it looks at nothing)
        return Choice(None, "Fixed", f"{self.replicas} replicas, whatever happens")


def demand_rows(trace: RequestTrace, *, start: float, end: float, step: float) -> Floats:
    """Demand per second of the whole bins of [start, end), shape (T, 3)."""
    bins = int((end - start) / step + 1e-9)
    index = np.floor((trace.arrival_s - start) / step).astype(np.int64)
    inside = (index >= 0) & (index < bins)
    columns = np.zeros((bins, 3))
    for column, weights in (
        (REQUESTS, np.ones(len(trace))),
        (PROMPT_TOKENS, trace.prompt_tokens),
        (OUTPUT_TOKENS, trace.output_tokens),
    ):
        columns[:, column] = np.bincount(index[inside], weights=weights[inside], minlength=bins) / step
    return columns


def fewest_for(work: float, *, capacity: CapacityTable, most: int) -> int:
    """The smallest count, at least 1 and at most `most`, that carries `work` per second."""
    return min(max(1, fewest_carrying(work, capacity, most=most)), most)


def minutes_of_work(trace: RequestTrace, *, work: WorkPerUnit) -> Floats:
    """Work/s of each whole minute, shape (minutes,); of the first one where none is whole."""
    end = float(trace.arrival_s[-1]) if len(trace) else 0.0
    return work.of(demand_rows(trace, start=0.0, end=max(60.0, end), step=60.0))


def peak_count(bench: Bench) -> int:
    """Fewest replicas that keep the promise under the steady load of the p99.9 minute, with that minute's lengths.

    Simulated, as a load test before going live would find it. The minute is one of the training part where there is
    one.
    """
    known = bench.known
    minutes = minutes_of_work(known, work=bench.service.work)
    peak = int(np.argmin(np.abs(minutes - np.percentile(minutes, PEAK_MINUTE, method="higher"))))
    busiest = known.between(60.0 * peak, 60.0)
    return fewest_that_keep(steady(busiest, rate=len(busiest) / 60.0, seed=bench.seed), bench=bench)


def mean_count(bench: Bench) -> int:
    """Fewest replicas that keep the promise under the mean load, as if it were steady."""
    known = bench.known
    rate = len(known) / max(60.0, float(known.arrival_s[-1]))
    return fewest_that_keep(steady(known, rate=rate, seed=bench.seed), bench=bench)


def fewest_that_keep(trace: RequestTrace, *, bench: Bench) -> int:
    """The smallest count within the limits under which every declared percentile holds; the largest if none does."""
    low, high = bench.scenario.min_replicas, bench.scenario.max_replicas
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(trace, replicas=middle, bench=bench) else (middle + 1, high)
    return low


def keeps(trace: RequestTrace, *, replicas: int, bench: Bench) -> bool:
    """Whether every declared percentile holds over a trace, warm-up aside, with a fixed count."""
    fleet = fixed_fleet(trace, replicas=replicas, bench=bench)
    fleet.advance(LOAD_TEST_S)
    outcome, declared = fleet.outcome(), bench.scenario.objective.declared()
    counted = outcome.arrival_s >= min(WARM_UP_S, float(outcome.arrival_s[-1]) / 2)
    # The last ones had no time to finish; a request that takes longer than this misses by itself.
    counted &= outcome.arrival_s <= LOAD_TEST_S - WARM_UP_S / 2
    return all(
        within(outcome=outcome, name=name, target=target)[counted].mean() >= target.percentile / 100
        for name, target in declared.items()
    )


def usual_concurrency(bench: Bench) -> float:
    """What an owner would set as running requests per replica after a load test at the largest load that holds.

    Simulates LOAD_TEST_S seconds of Poisson arrivals with the bench's request lengths at the table's capacity.
    """
    known, service = bench.known, bench.service
    replicas = min(LOAD_TEST_REPLICAS, bench.scenario.max_replicas)
    each = float(service.work.of(np.array([1.0, known.prompt_tokens.mean(), known.output_tokens.mean()])))
    trace = steady(known, rate=service.capacity.total(replicas) / each, seed=bench.seed)
    fleet, running = fixed_fleet(trace, replicas=replicas, bench=bench), []
    for at in np.arange(WARM_UP_S, LOAD_TEST_S, 5.0):
        fleet.advance(float(at))
        running.append(sum(pod.running for pod in fleet.counters().values()))
    return max(1.0, CONCURRENCY_SHARE * float(np.mean(running)) / replicas)


def fixed_fleet(trace: RequestTrace, *, replicas: int, bench: Bench) -> Fleet:
    scenario = bench.scenario
    return Fleet(
        deployment=scenario.deployment, trace=trace, replicas=replicas, cold_start=scenario.cold_start, seed=bench.seed
    )


def steady(known: RequestTrace, *, rate: float, seed: int) -> RequestTrace:
    """LOAD_TEST_S seconds of Poisson arrivals at `rate` per second, with lengths drawn from known requests."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1.0 / rate, max(1, int(rate * LOAD_TEST_S))))
    picks = rng.integers(0, len(known), len(arrivals))
    return RequestTrace(frozen(arrivals), known.prompt_tokens[picks], known.output_tokens[picks])
