"""Foretide's own policy in a replay: the shipped code of policies/ and forecaster/, fed by what a view shows.

Nothing is decided here. The two rhythms are those of the operator: the plan, and between plans the fast pass that only
ever adds.

What is NOT promised: knowledge of the scenario's truth. Cold starts are learned from the starts that were observed,
demand from counters; only the prior of a cold start and the service model are given.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from foretide.policies.coldstart import learned
from foretide.policies.demand import demand_history
from foretide.policies.flow import (
    Act,
    Backlog,
    ColdStart,
    Decision,
    DemandForecast,
    DemandHistory,
    Evidence,
    Forecaster,
    Memory,
    Pool,
    Rhythm,
    ServiceModel,
    Trust,
)
from foretide.policies.memory import remember_scale
from foretide.policies.overflow import SCREENS, screened, usual
from foretide.policies.overflow import learned as learned_lengths
from foretide.policies.regret import regret_time
from foretide.policies.speed import Speed, at_speed, learned_speed, log_factor
from foretide.policies.turn import Sight, TargetSpec, plan_turn, relief_turn
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.scenario import Pace
from foretide.simulator.token_gaps import TokenGaps

PATHS = 512


@dataclass(frozen=True, slots=True)
class Limits:
    min_replicas: int
    max_replicas: int
    gpus_per_replica: int = 1


class Again(Protocol):
    """Capacity measured anew, as `Remeasured` does."""

    def of(self, history: DemandHistory, *, now: float) -> ServiceModel: ...


class Shipped:
    """The policy `foretide`. `history` is the demand of a training part; without one it begins blind.

    `again` measures capacity anew where lengths change; without it `service` stands.
    """

    def __init__(
        self,
        *,
        spec: TargetSpec,
        limits: Limits,
        pace: Pace,
        service: ServiceModel,
        prior: ColdStart,
        forecaster: Forecaster,
        history: DemandHistory | None = None,
        again: Again | None = None,
    ) -> None:
        self._spec, self._limits, self._pace = spec, limits, pace
        self._service, self._prior, self._forecaster = service, prior, forecaster
        self._history = history
        self._again = again
        self.screens, self._usual = SCREENS, usual()
        self._forecast: DemandForecast | None = None
        self._memory: Memory | None = None
        self._next_plan = self._born = float("-inf")
        self._speed, self._gaps = Speed(), TokenGaps()
        self._rhythm = Rhythm(plan_s=pace.plan_s, first_life_s=pace.first_life_s, regret_s=regret_time(pace.season_s))

    @property
    def name(self) -> str:
        return "foretide"

    @property
    def interval_s(self) -> float:
        return self._pace.relief_s

    @property
    def begins_with(self) -> None:
        return None

    def decide(self, view: View) -> Choice:
        if self._memory is None:
            self._born = view.scraped_at if view.scraped_at is not None else view.now
            self._memory = Memory(watching_since=self._history.start if self._history else self._born)
            self._next_plan = view.now
        planned = view.now >= self._next_plan - 1e-6
        evidence, decision = self._plan(view, self._memory) if planned else self._relieve(view, self._memory)
        return self._chosen(view, evidence, decision, planned=planned)

    def _plan(self, view: View, memory: Memory) -> tuple[Evidence, Decision]:
        self._next_plan += self._pace.plan_s
        self._history = self._measured(view)
        if self._again is not None:
            self._service = self._again.of(self._history, now=view.now)
        self._learn_speed(view)
        evidence, decision = plan_turn(
            spec=self._spec,
            sight=replace(self._sight(view, self._history), usual=self._screened(self._history)),
            memory=memory,
            forecaster=self._forecaster,
            rhythm=self._rhythm,
            paths=PATHS,
        )
        self._forecast = evidence.forecast
        return evidence, decision

    def _screened(self, history: DemandHistory) -> DemandHistory | None:
        if not self.screens:
            return None
        self._usual = learned_lengths(self._usual, history)
        return screened(self._usual, history).history

    def _relieve(self, view: View, memory: Memory) -> tuple[Evidence, Decision]:
        sight = self._sight(view, self._history or self._measured(view))
        return relief_turn(spec=self._spec, sight=sight, memory=memory, rhythm=self._rhythm, forecast=self._forecast)

    def _chosen(self, view: View, evidence: Evidence, decision: Decision, *, planned: bool) -> Choice:
        self._memory, replicas = decision.memory, None
        verdict = decision.verdict
        if isinstance(verdict, Act):
            replicas = verdict.order.after
            self._memory = remember_scale(decision.memory, at=view.now, before=view.desired, after=replicas)
        reason = decision.reason
        return Choice(replicas, reason.code.value, reason.text, evidence, decision, planned=planned)

    def _learn_speed(self, view: View) -> None:
        steps = self._service.steps
        if steps is None:
            return
        paces = self._gaps.paces(view)
        prior = (self._service.log_speed_mean, self._service.log_speed_sd)
        self._speed = learned_speed(self._speed, prior=prior, seen=log_factor(paces, steps))

    def _measured(self, view: View) -> DemandHistory:
        pace = self._pace
        return demand_history(
            pods=view.samples(),
            start=max(self._born, view.now - window_s(pace)),
            end=view.now,
            step=pace.step_s,
            scrape_s=pace.scrape_s,
            previous=self._history,
            expected_pods=view.ready,
        )

    def _sight(self, view: View, history: DemandHistory) -> Sight:
        return Sight(
            now=view.now,
            pool=self._pool(view),
            history=history,
            backlog=backlog_of(view, scrape_s=self._pace.scrape_s),
            service=at_speed(self._service, self._speed),
            cold_start=learned(self._prior, view.starts),
        )

    def _pool(self, view: View) -> Pool:
        return Pool(
            name=self._spec.name,
            min_replicas=self._limits.min_replicas,
            max_replicas=self._limits.max_replicas,
            desired=view.desired,
            ready=view.ready,
            starting=view.starting - view.unschedulable,
            unschedulable=view.unschedulable,
            gpus_per_replica=self._limits.gpus_per_replica,
            version=f"{view.now:g}",
        )


def window_s(pace: Pace) -> float:
    """How far a plan looks back at scrapes: enough that a missed plan leaves no gap, as in the operator."""
    return 2 * (pace.plan_s + pace.step_s + pace.scrape_s)


def backlog_of(view: View, *, scrape_s: float) -> Backlog:
    """What waits and runs as of the newest scrape, with the trust that its age deserves."""
    waiting, running = view.total("waiting"), view.total("running")
    if view.scraped_at is None or waiting is None:
        return Backlog(view.now, None, None, Trust.ABSENT)
    trust = Trust.FRESH if view.now - view.scraped_at <= 2 * scrape_s else Trust.STALE
    return Backlog(view.scraped_at, waiting, running, trust)
