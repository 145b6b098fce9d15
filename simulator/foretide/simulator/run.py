"""One policy against one trace: the loop that scrapes, asks, scales, and records what it saw.

Policies are compared on the same arrivals and on the same cold starts, drawn by the ordinal of a start (common random
numbers). The meter of GPU time stops with the trace; requests under way then still get GRACE_S to finish.

What is NOT promised: that a policy is told anything but its View. The truth goes into the record only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from foretide.policies.flow import REQUESTS, DemandHistory, Evidence, Floats, ServiceModel
from foretide.simulator.answers import answer, first_count, interval_of
from foretide.simulator.autoscaler import Autoscaler, Choice, View
from foretide.simulator.conditions import Conditions
from foretide.simulator.cost import Cost, cost_of, lives_of, wakes_of
from foretide.simulator.faults import Fault, is_silent
from foretide.simulator.fleet import Fleet, RequestOutcome
from foretide.simulator.member import PodCounters
from foretide.simulator.mishaps import Harm
from foretide.simulator.power import published
from foretide.simulator.remeasured import Learned
from foretide.simulator.requests import RequestTrace
from foretide.simulator.scenario import Scenario
from foretide.simulator.score import Life
from foretide.simulator.scrapes import HistogramScrapes, Scrapes

GRACE_S = 300.0
"""Requests that arrived before the end may finish for this long after it."""
LAG_S = 5.0
"""A decision sees scrapes that are at least this old: collection, storage and query take their time."""
KEEP_S = 900.0

Progress = Callable[[float], None]
"""Told how much of a run is done, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What every policy of a comparison runs on: the same trace, service model, first count and seed."""

    scenario: Scenario
    trace: RequestTrace
    """The evaluation part, from time 0."""
    past: RequestTrace | None
    """The training part; None where there is none."""
    begins_s: float
    """Where the evaluation part begins on the trace's clock."""
    service: ServiceModel
    initial: int
    """Replicas that every policy begins with, except those of a fixed count."""
    seed: int
    history: DemandHistory | None = None
    """Demand before the evaluation part, known to policies that look back: generated days and the training part."""
    learned: Learned | None = None
    """What `service` was measured with, for policies that measure again; None where nobody may."""

    @property
    def known(self) -> RequestTrace:
        """What an owner may size by: the training part, or without one the trace itself."""
        return self.past if self.past is not None and len(self.past) else self.trace

    @property
    def duration_s(self) -> float:
        return float(self.trace.arrival_s[-1]) if len(self.trace) else 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of a policy that is worth keeping: every plan, and every fast pass that acts."""

    at: float
    before: int
    after: int
    ready: int
    starting: int
    choice: Choice


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The fleet over time, one row per scrape; each array (T,). Times are seconds from the start of the run."""

    at: Floats
    desired: Floats
    ready: Floats
    starting: Floats
    draining: Floats
    running: Floats
    waiting: Floats
    """In the engines and at the door; a policy sees only the former."""
    demand: Floats
    """Requests/s that arrived since the row before."""
    unschedulable: Floats
    """Of those starting, the ones without a node."""


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """Forecasts of requests/s, each for one median cold start after it was made; (F,) each, ascending in `at`."""

    at: Floats
    low: Floats
    """5 % quantile."""
    middle: Floats
    high: Floats
    """95 % quantile."""


@dataclass(frozen=True, slots=True, eq=False)
class PolicyRun:
    """All that is known of one run afterwards."""

    policy: str
    series: Series
    asked: tuple[Asked, ...]
    outcome: RequestOutcome
    lives: tuple[Life, ...]
    wakes: Mapping[str, tuple[float, ...]]
    """Tier -> how long its starts took, in seconds."""
    cost: Cost
    """Up to the end of the trace."""
    harm: Harm
    faults: tuple[Fault, ...]
    """As scripted, on the clock of the run."""
    plan_ms: tuple[float, ...]
    """Wall time of each plan."""
    orders: tuple[tuple[float, int], ...]
    """(time, desired count) as carried out, the first at time 0."""
    note: str = ""

    @property
    def gpu_hours(self) -> float:
        return self.cost.gpu_hours

    def outlook(self) -> Outlook | None:
        """The forecasts that were standing; None for a policy without."""
        rows = [row for asked in self.asked if (row := _ahead(asked)) is not None]
        if not rows:
            return None
        at, low, middle, high = np.array(rows).T
        return Outlook(at, low, middle, high)


def run_policy(*, bench: Bench, autoscaler: Autoscaler, progress: Progress | None = None, note: str = "") -> PolicyRun:
    """Runs the evaluation part to its end. Deterministic in its arguments, except for `plan_ms`.

    Raises BadPolicy where the policy says what makes no sense, or raises itself.
    """
    run = Run(bench, autoscaler)
    for share in np.linspace(0.0, 1.0, 101)[1:]:
        run.advance(share * bench.duration_s)
        if progress:
            progress(float(share))
    return run.finish(note=note)


@dataclass(slots=True, eq=False)
class Run:
    """A run under way: drive it with `advance`, in steps of any length, then `finish` it."""

    bench: Bench
    autoscaler: Autoscaler
    fleet: Fleet = field(init=False)
    rows: list[tuple[float, ...]] = field(default_factory=list)
    """Of `Series`, as far as the run has come."""
    asked: list[Asked] = field(default_factory=list)
    orders: list[tuple[float, int]] = field(default_factory=list)
    _plan_ms: list[float] = field(default_factory=list)
    _conditions: Conditions = field(init=False)
    """On the clock of the run."""
    _memory: Scrapes = field(init=False)
    _histograms: HistogramScrapes = field(init=False)
    _interval_s: float = field(init=False)
    _arrived: int = 0
    _scrapes: int = 0
    _calls: int = 0

    def __post_init__(self) -> None:
        scenario = self.bench.scenario
        self._conditions = scenario.conditions.shifted(self.bench.begins_s)
        self._interval_s = interval_of(self.autoscaler)
        replicas = first_count(self.autoscaler, usual=self.bench.initial, most=scenario.max_replicas)
        self.fleet = Fleet(
            deployment=scenario.deployment,
            trace=self.bench.trace,
            replicas=replicas,
            cold_start=scenario.cold_start,
            seed=self.bench.seed,
            gpus_per_replica=scenario.gpus_per_replica,
            conditions=self._conditions,
            routing=scenario.routing,
        )
        lookback_s = scenario.pace.lookback_s
        self._memory = Scrapes(keep_s=KEEP_S, lookback_s=lookback_s)
        self._histograms = HistogramScrapes(self.fleet, lookback_s=lookback_s)
        self.orders.append((0.0, replicas))

    def advance(self, until: float) -> None:
        """Everything up to and including `until`, in seconds from the start of the run."""
        scrape_s, interval_s = self.bench.scenario.pace.scrape_s, self._interval_s
        while min(self._scrapes * scrape_s, LAG_S + self._calls * interval_s) <= until:
            scrape_at, call_at = self._scrapes * scrape_s, LAG_S + self._calls * interval_s
            self.fleet.advance(min(scrape_at, call_at))
            if scrape_at <= call_at:
                self._scrape(scrape_at)
                self._scrapes += 1
            else:
                self._ask(call_at)
                self._calls += 1
        self.fleet.advance(until)

    def _scrape(self, at: float) -> None:
        counters, counts = self.fleet.counters(), self.fleet.counts()
        self._remember(at, counters)
        until = int(np.searchsorted(self.bench.trace.arrival_s, at, side="right"))
        since = self.rows[-1][0] if self.rows else at
        rate = (until - self._arrived) / (at - since) if at > since else np.nan
        self._arrived = until
        running = sum(pod.running for pod in counters.values())
        waiting = sum(pod.waiting for pod in counters.values()) + self.fleet.at_the_door
        pods = (counts.desired, counts.ready, counts.starting, counts.draining)
        self.rows.append((at, *pods, running, waiting, rate, counts.unschedulable))

    def _remember(self, at: float, counters: Mapping[str, PodCounters]) -> None:
        """What the metric source takes in: only those that answer."""
        faults, seed = self._conditions.faults, self.bench.seed
        answering = {name: pod for name, pod in counters.items() if not is_silent(faults, now=at, name=name, seed=seed)}
        when = self.bench.begins_s + at
        self._memory.take(at=when, counters=answering, missed=bool(counters) and not answering)
        self._histograms.take(at=when, answering=answering)

    def _ask(self, at: float) -> None:
        view = self._view(at)
        began = perf_counter()
        choice = answer(self.autoscaler, view, at=at, most=self.bench.scenario.max_replicas)
        took = (perf_counter() - began) * 1000
        after = view.desired if choice.replicas is None else choice.replicas
        if choice.planned:
            self._plan_ms.append(took)
        if choice.planned or after != view.desired:
            self.asked.append(Asked(at, view.desired, after, view.ready, view.starting, choice))
        if after != view.desired:
            self.fleet.scale(after)
            self.orders.append((at, after))

    def _view(self, at: float) -> View:
        counts = self.fleet.counts()
        ended = sorted((ready_at, ready_at - ordered_at) for ordered_at, ready_at in self.fleet.starts)
        return View(
            now=self.bench.begins_s + at,
            desired=counts.desired,
            ready=counts.ready,
            starting=counts.starting,
            scraped_at=self._memory.scraped_at,
            newest=self._memory.newest,
            samples=self._memory.samples,
            starts=tuple(took for _, took in ended),
            unschedulable=counts.unschedulable,
            histograms=self._histograms.newest,
        )

    def finish(self, *, note: str = "") -> PolicyRun:
        """Stops the meter where the trace ends and lets the requests under way finish."""
        end = self.bench.duration_s
        self.advance(end)
        scenario = self.bench.scenario
        power = published(scenario.deployment.profile.gpu, scenario.power_cap)
        cost = cost_of(self.fleet, power=power, gpus_per_replica=scenario.gpus_per_replica)
        lives, wakes = lives_of(self.fleet), wakes_of(self.fleet)
        self.fleet.advance(end + GRACE_S)
        return PolicyRun(
            policy=self.autoscaler.name,
            series=Series(*(np.array(column, dtype=np.float64) for column in zip(*self.rows, strict=True))),
            asked=tuple(self.asked),
            outcome=self.fleet.outcome(),
            lives=lives,
            wakes=wakes,
            cost=cost,
            harm=self.fleet.mishaps.harm,
            faults=self._conditions.faults,
            plan_ms=tuple(self._plan_ms),
            orders=tuple(self.orders),
            note=note,
        )


def _ahead(asked: Asked) -> tuple[float, float, float, float] | None:
    """Time and quantiles of requests/s one median cold start after a plan; None without a forecast."""
    evidence: Evidence | None = asked.choice.evidence
    if evidence is None or evidence.forecast is None or not asked.choice.planned:
        return None
    forecast, lead = evidence.forecast, evidence.cold_start.median_s
    step = min(int(lead / forecast.step), forecast.paths.shape[1] - 1)
    low, middle, high = np.quantile(forecast.paths[:, step, REQUESTS], [0.05, 0.5, 0.95])
    made_at = asked.at - evidence.now + forecast.made_at
    return made_at + (step + 0.5) * forecast.step, float(low), float(middle), float(high)
