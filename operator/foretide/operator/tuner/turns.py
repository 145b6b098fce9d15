"""One turn of one resource: look at the number, at the pods and at a window of their metrics; decide; write; tell.

The order of writes is: what is about to be written, into the status; the number; what came of it, into the status. A
process that ends in between finds, in its next life, that the number is its own. Whoever else writes the number is told
apart by that, and stops the tuner for this resource until its owner puts the number back or edits the resource.

What is NOT promised: a change without a whole window of fresh metrics of every pod. Missing metrics mean no action.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from foretide.operator.events import Subject
from foretide.operator.resource import Resource, parse
from foretide.operator.seams import Body
from foretide.operator.times import timestamp
from foretide.operator.tuner.baseline import rule_of
from foretide.operator.tuner.decide import Decision, Maker, Pair, bandit, by_learning, by_rule, in_rollout
from foretide.operator.tuner.histograms import Lacking
from foretide.operator.tuner.looking import Fleet, Looking, Number
from foretide.operator.tuner.memory import Memory, remembered
from foretide.operator.tuner.ours import foreign, whose
from foretide.operator.tuner.told import STOPPED, UNANSWERED, UNVERIFIED, WAITING, Change, Still, Told, news, part
from foretide.operator.tuner.writing import Writing
from foretide.operator.tuner.written import Canary, Tuning
from foretide.policies.concurrency import in_time
from foretide.policies.concurrency.in_time import Terms
from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.restart import Restart
from foretide.policies.flow import Mode

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Case:
    """All that a turn knows from the start. `before` is our part of the status as it was listed."""

    resource: Resource
    tuning: Tuning
    status: Mapping[str, Any]
    before: Mapping[str, Any]
    now: float

    @property
    def acts(self) -> bool:
        return self.resource.spec.mode is Mode.AUTO

    @property
    def subject(self) -> Subject:
        return Subject(self.resource.key, self.resource.uid)


class Turner:
    """`turn` never raises ClusterError, and changes at most one number of one resource and its canary's."""

    def __init__(
        self, *, looking: Looking, writing: Writing, start_s: float, window_s: float, learner: Maker = bandit
    ) -> None:
        self._looking, self._writing, self._start_s, self._learner = looking, writing, start_s, learner
        self._soonest_s = window_s / 2
        """After a turn, of this life or of another: a window that was looked at is not looked at again."""

    async def turn(self, body: Body, *, now: float) -> Told | None:
        """What was told; None for a resource that has nothing to tune, or that cannot be read."""
        resource, status = parse(body).resource, body.get("status") or {}
        before = status.get("concurrency") or {}
        if resource is None or now - (timestamp(before.get("time")) or 0.0) < self._soonest_s:
            return None
        if resource.tuning is None:
            if before:
                await self._writing.status(resource.key, None)
            return None
        case = Case(resource, resource.tuning, status, before, now)
        told = await self._decided(case)
        await self._tell(case, told)
        return told

    async def _tell(self, case: Case, told: Told) -> None:
        after = part(told, before=case.before, generation=case.resource.generation, at=case.now)
        await self._writing.events(case.subject, news(told, before=case.before), at=case.now)
        if _timeless(after) != _timeless(case.before):
            await self._writing.status(case.resource.key, after)
        if told.change is not None:
            logger.info("%s: %s -> %s: %s", case.resource.key, told.change.before, told.change.to, told.message)

    async def _decided(self, case: Case) -> Told:
        known = remembered(case.before.get("memory"))
        memory = known.of(case.tuning.numbers())
        writing = case.before.get("writing") if memory is known else None
        number = await self._looking.number(case.resource, case.tuning.knob)
        if isinstance(number, Still):
            return _still(number, memory)
        found = whose(memory, now=number.value, writing=writing, generation=case.resource.generation)
        if isinstance(found, Still):
            conflict = replace(memory, conflict=memory.conflict or case.resource.generation)
            return _still(found, conflict, limit=number.value)
        if (rests := _rests(case)) is not None:
            return _still(rests, found, limit=number.value)
        rule = rule_of(case.resource, case.tuning, status=case.status)
        if isinstance(rule, Lacking):
            return _still(Still(STOPPED, "NoBaseline", rule.text), found, limit=number.value)
        return await self._looked(case, found, number, rule)

    async def _looked(self, case: Case, memory: Memory, number: Number, rule: Rule) -> Told:
        learning = case.tuning.canary if case.tuning.tune == "Learn" and case.acts else None
        fleet = await self._looking.fleet(case.resource, learning)
        if isinstance(fleet, Still):
            return _still(fleet, memory, limit=number.value)
        if (waits := in_rollout(memory, limit=number.value, pods=fleet.now(), now=case.now)) is not None:
            return await self._done(case, waits, Numbers(number))
        canary = await self._canary(case, memory, learning) if learning else None
        if isinstance(canary, Still):
            return _still(canary, memory, limit=number.value)
        numbers = Numbers(number, canary)
        decision = await self._judged(case, memory, fleet, rule, numbers)
        if isinstance(decision, Still):
            return _still(decision, memory, limit=number.value)
        return await self._done(case, decision, numbers)

    async def _canary(self, case: Case, memory: Memory, canary: Canary) -> Number | Still:
        found = await self._looking.number(case.resource, canary.knob)
        return found if isinstance(found, Still) or memory.knows_canary(found.value) else foreign(found.value, memory)

    async def _judged(
        self, case: Case, memory: Memory, fleet: Fleet, rule: Rule, numbers: "Numbers"
    ) -> Decision | Still:
        looking, resource, canary = self._looking, case.resource, numbers.canary
        span = looking.span(resource, now=case.now)
        scraped = await looking.scraped(resource, span=span)
        if isinstance(scraped, Still):
            return scraped
        limit = numbers.fleet.value
        seen = looking.window(scraped, resource=resource, pods=fleet.pods, limit=limit, span=span)
        if isinstance(seen, Still):
            return seen
        terms = self._terms(case.tuning, fleet)
        if canary is None:
            return by_rule(memory, seen, rule=rule, terms=terms, pods=fleet.now(), now=case.now)
        if not fleet.canaries or len(fleet.pods) < 2:
            words = f"{len(fleet.pods)} pods beside {len(fleet.canaries)} canaries: Learn needs two and one; scale up"
            return Still(WAITING, "NoCanary", words)
        tried = looking.window(scraped, resource=resource, pods=fleet.canaries, limit=canary.value, span=span)
        if isinstance(tried, Still):
            return tried
        pair = Pair(seen, tried, len(fleet.pods), len(fleet.canaries))
        budget = case.tuning.loss_budget
        return by_learning(memory, pair, rule=rule, terms=terms, loss_budget=budget, learner=self._learner)

    def _terms(self, tuning: Tuning, fleet: Fleet) -> Terms:
        if not tuning.knob.restarts_pods:
            return Terms(tuning.bounds)
        return Terms(tuning.bounds, Restart(fleet.start_s(self._start_s), tuning.change_interval_s))

    async def _done(self, case: Case, decision: Decision, numbers: "Numbers") -> Told:
        """The decision carried out, in mode Auto; else what would be done."""
        told = Told(
            decision.state,
            decision.reason,
            decision.message,
            decision.unset,
            limit=numbers.fleet.value,
            baseline=decision.baseline,
            canary=numbers.canary.value if numbers.canary else None,
        )
        if decision.limit is None and decision.canary is None:
            return replace(told, memory=decision.memory)
        if not case.acts:
            words = f"mode {case.resource.spec.mode.value} changes nothing; {decision.message}"
            return replace(told, state="Steady", reason="Recommending", message=words)
        memory = decision.memory.before_canary(told.canary, decision.canary)
        intent = replace(told, memory=memory, writing=decision.limit)
        after = part(intent, before=case.before, generation=case.resource.generation, at=case.now)
        if not await self._writing.status(case.resource.key, after):
            return replace(told, state=WAITING, reason="WriteFailed", message="the status cannot be written")
        return await self._carried_out(case, replace(told, memory=memory), decision, numbers)

    async def _carried_out(self, case: Case, told: Told, decision: Decision, numbers: "Numbers") -> Told:
        key, knob, canary = case.resource.key, case.tuning.knob, case.tuning.canary
        if decision.limit is not None:
            failed = await self._writing.number(key, knob, numbers.fleet, decision.limit)
            if failed is not None:
                return _failed(failed, told, decision, now=case.now)
            change = Change(numbers.fleet.value, decision.limit, decision.reason, decision.message)
            told = replace(told, memory=replace(told.memory, ours=decision.limit), limit=decision.limit, change=change)
        if decision.canary is None or canary is None or numbers.canary is None:
            return told
        failed = await self._writing.number(key, canary.knob, numbers.canary, decision.canary)
        if failed is not None:
            return replace(told, state=failed.state, reason=failed.reason, message=failed.message)
        return replace(told, canary=decision.canary)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Both knobs as they were read."""

    fleet: Number
    canary: Number | None = None


def _failed(failed: Still, told: Told, decision: Decision, *, now: float) -> Told:
    """A write without an answer may have been done: the next turn finds out by what stands as about to be written.

    One that did not hold is like one that was taken back: n* rests near that limit.
    """
    if failed.reason == UNANSWERED:
        return replace(told, state=failed.state, reason=failed.reason, message=failed.message, writing=decision.limit)
    if failed.reason == UNVERIFIED:
        rests = in_time.taken_back(decision.memory.past, now=now)
        return _still(failed, replace(decision.unset, past=rests), limit=told.limit)
    return _still(failed, decision.unset, limit=told.limit)


def _timeless(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != "time"}


def _rests(case: Case) -> Still | None:
    """Why its owner wants nothing done."""
    if case.resource.spec.mode is Mode.PAUSED:
        return Still(STOPPED, "Paused", "the resource is paused")
    if case.tuning.tune == "Off":
        return Still(STOPPED, "Off", "tune is Off: the limit is only watched")
    return None


def _still(still: Still, memory: Memory, *, limit: int | None = None) -> Told:
    return Told(still.state, still.reason, still.message, memory, limit)
