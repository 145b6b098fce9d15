"""A whole fleet of which both are set at once: its replicas by an autoscaler, its concurrency limit by a tuner.

The tuner looks once a window, at the replicas that were ready throughout, as `foretide tuner` does on a cluster: what
runs alike is one `Window` that lived for as many seconds as all of them. A limit is the engine's own: requests beyond
it wait in the engine, none is refused. The autoscaler is told each new limit of the fleet.

What is NOT promised: the time that a new measurement of capacity takes; it is known at once here. `busy` is what is
there at the end of a window, not its mean.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, log2, nan
from typing import Protocol

from foretide.policies.concurrency import in_time
from foretide.policies.concurrency.in_time import Past, Terms, Verdict
from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.shield import Outcome, Shield
from foretide.policies.concurrency.window import Agent, Bounds, Window
from foretide.policies.flow import DemandHistory, Objective, ServiceModel
from foretide.simulator.autoscaler import Autoscaler
from foretide.simulator.capacity import service_model
from foretide.simulator.member import Member, Observation
from foretide.simulator.remeasured import Learned, Remeasured
from foretide.simulator.run import Bench, PolicyRun, Run

WINDOW_S = 60.0
Finished = Sequence[tuple[Member, Observation]]
FEWEST = 3
"""Replicas of which one can be the canary."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Requests at once in each replica, and in the canary where it has a limit of its own."""

    fleet: int
    canary: int | None = None


class Tuner(Protocol):
    """Chooses the limits of the next window; `seen` is None before the first, and where no replica was there for it."""

    def turn(self, seen: Window | None, canary: Window | None, *, now: float) -> Setting: ...


class Freely:
    """An agent's limit for every replica at once, anew in each window: what no owner of pods would allow."""

    def __init__(self, agent: Agent, bounds: Bounds) -> None:
        self._agent, self._bounds = agent, bounds

    def turn(self, seen: Window | None, canary: Window | None, *, now: float) -> Setting:  # noqa: ARG002
        if seen is not None:
            self._agent.learn(seen)
        return Setting(self._bounds.clip(self._agent.act(seen)))


class InTime:
    """`foretide tuner` with `tune: Rule`: n* for every replica at once, held against the windows before."""

    def __init__(self, rule: Rule, bounds: Bounds, *, begins_at: int) -> None:
        self._rule, self._terms, self._past, self._limit = rule, Terms(bounds), Past(), begins_at

    def turn(self, seen: Window | None, canary: Window | None, *, now: float) -> Setting:  # noqa: ARG002
        if seen is None:
            return Setting(self._limit)
        self._rule.act(seen)
        told = in_time.turn(self._past, seen, rule=self._rule, terms=self._terms, now=now)
        self._past = told.past
        if told.limit is not None:
            changes = told.verdict is Verdict.CHANGE
            self._past = (
                in_time.begun(told.past, before=self._limit, after=told.limit, now=now)
                if changes
                else in_time.taken_back(told.past, now=now)
            )
            self._limit = told.limit
        return Setting(self._limit)


class Guarded:
    """`tune: Learn`: an agent under the shield; one replica is the canary, or the control once something was adopted.

    The fleet follows n*, or the ratio to it that was adopted, in every window.
    """

    def __init__(self, shield: Shield) -> None:
        self._shield, self._role = shield, ""

    def turn(self, seen: Window | None, canary: Window | None, *, now: float) -> Setting:  # noqa: ARG002
        if seen is not None:
            beside = canary if self._role == "control" else None
            tried = canary if self._role == "canary" else None
            self._shield.learn(Outcome(seen, beside, tried))
        plan = self._shield.plan(seen)
        self._role = "control" if plan.control is not None else "canary" if plan.canary is not None else ""
        return Setting(plan.fleet, plan.control or plan.canary)


class AtLimit:
    """What a replica carries at the limit in force, measured anew where limit or lengths change.

    Limits are rounded to a power of two, as each asks for a measurement; the operator measures at the limit itself.
    """

    def __init__(self, learned: Learned, first: ServiceModel) -> None:
        self._learned = learned
        self._limit = learned.deployment.max_num_seqs
        self._known = {self._limit: Remeasured(learned, first)}

    def admit_at_most(self, limit: int) -> None:
        self._limit = min(self._learned.deployment.max_num_seqs, 2 ** round(log2(limit)))

    def of(self, history: DemandHistory, *, now: float) -> ServiceModel:
        if self._limit not in self._known:
            learned = self._learned
            limited = replace(learned, deployment=replace(learned.deployment, max_num_seqs=self._limit))
            self._known[self._limit] = Remeasured(limited, _measured(limited))
        return self._known[self._limit].of(history, now=now)


def _measured(learned: Learned) -> ServiceModel:
    return service_model(
        deployment=learned.deployment,
        objective=learned.objective,
        prompt_tokens=learned.prompt_tokens,
        output_tokens=learned.output_tokens,
        seed=learned.seed,
        cache=learned.cache,
    )


def run_tuned(
    *, bench: Bench, autoscaler: Autoscaler, tuner: Tuner, told: Callable[[int], None], window_s: float = WINDOW_S
) -> PolicyRun:
    """The evaluation part with both; `told` is how the autoscaler hears of a limit. Raises as `run_policy`."""
    run = Run(bench, autoscaler)
    fleet, at, limits = run.fleet, 0.0, Setting(bench.scenario.deployment.max_num_seqs)
    log: list[tuple[Member, Observation]] = []
    fleet.log = log
    seen: Window | None = None
    tried: Window | None = None
    canary: Member | None = None
    while at < bench.duration_s:
        limits = tuner.turn(seen, tried, now=at)
        canary = _canary(fleet.ready) if limits.canary is not None else None
        fleet.admit_at_most(limits.fleet, canary=None if canary is None else (canary, limits.canary or limits.fleet))
        told(limits.fleet)
        whole = list(fleet.ready)
        log.clear()
        at = min(at + window_s, bench.duration_s)
        run.advance(at)
        there = [member for member in whole if member.gone_at == inf and not member.draining]
        others = [member for member in there if member is not canary]
        seen = _window(others, log, limits.fleet, bench=bench, window_s=window_s)
        own = [member for member in there if member is canary]
        tried = _window(own, log, limits.canary or limits.fleet, bench=bench, window_s=window_s)
    return run.finish()


def _canary(ready: Sequence[Member]) -> Member | None:
    """The one that has been there the longest; none where two others would not be left."""
    return ready[0] if len(ready) >= FEWEST else None


def _window(members: Sequence[Member], log: Finished, limit: int, *, bench: Bench, window_s: float) -> Window | None:
    if not members:
        return None
    ended = [one for member, one in log if member in members]
    count = len(ended)
    return Window(
        limit=limit,
        seconds=window_s * len(members),
        gpus=bench.scenario.gpus_per_replica,
        admitted=count,
        refused=0,
        ended=count,
        good=kept(ended, bench.scenario.objective),
        prompt_tokens=sum(one.prompt_tokens for one in ended) / count if count else nan,
        output_tokens=sum(one.output_tokens for one in ended) / count if count else nan,
        busy=sum(member.replica.outstanding for member in members) / len(members),
        kv_share=sum(member.replica.kv_used / member.replica.kv_tokens for member in members) / len(members),
    )


def kept(ended: Iterable[Observation], objective: Objective) -> int:
    """How many were within every threshold; an answer of one token has no time per token to miss."""
    declared = objective.declared()
    return sum(
        not any(getattr(one, f"{name}_s") > target.threshold_s for name, target in declared.items()) for one in ended
    )
