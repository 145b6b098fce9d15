"""One turn of one target: look, read, decide. Nothing is written here; finish.py does that."""

import asyncio
import logging
from dataclasses import replace
from typing import Protocol

from foretide.forecaster.announced import Announced
from foretide.forecaster.local_time import LocalTime, aligned, offset_of
from foretide.operator.actuate import CHEAP, Marks
from foretide.operator.ahead import Ahead
from foretide.operator.approvals import pending_of
from foretide.operator.contests import met, told
from foretide.operator.gates import Nap
from foretide.operator.look import Look, Looker, Unresolved
from foretide.operator.naps import unsettled
from foretide.operator.reading import Reading
from foretide.operator.registry import Entry
from foretide.operator.resource import BY_KEDA, Resource
from foretide.operator.scorecards import kept_up
from foretide.operator.service import Services
from foretide.operator.settings import Settings
from foretide.operator.signals import PodSeries
from foretide.operator.status import Turn
from foretide.operator.target import Target
from foretide.operator.warm_book import MISSED_PLANS, moment_of
from foretide.policies import overflow
from foretide.policies.declared import PLACEHOLDER, SLEEPING
from foretide.policies.flow import Act, Decision, DemandHistory, Evidence, Mode, Trust
from foretide.policies.memory import remember_scale
from foretide.policies.overflow import Screened, learned, screened
from foretide.policies.scorecard import Scorecard
from foretide.policies.turn import Sight, TargetSpec, plan_turn, question_of, relief_turn
from foretide.policies.victims import victims
from foretide.policies.warm.account import News, WarmAccount, held_now, seen
from foretide.policies.warm.ladder import ZERO

logger = logging.getLogger(__name__)


class Pairs(Protocol):
    """Who takes the turns of resources with two pools."""

    async def plan(
        self, entry: Entry, resource: Resource, target: Target, series: PodSeries, *, now: float
    ) -> Turn: ...


class Turner:
    """Takes turns. A turn that fails is a turn too: it holds, and says that it failed."""

    def __init__(
        self,
        *,
        settings: Settings,
        looker: Looker,
        reading: Reading,
        services: Services,
        ahead: Ahead | None = None,
        pairs: "Pairs | None" = None,
    ) -> None:
        self._settings = settings
        self._looker = looker
        self._reading = reading
        self._services = services
        self._ahead = ahead
        self._pairs = pairs

    async def plan(self, entry: Entry, target: Target, series: PodSeries | None, *, now: float) -> Turn:
        """A full turn on what `series` says of the last minutes."""
        if entry.resource is None or series is None:
            return Turn(entry, now, None)
        try:
            if entry.resource.decode is not None and self._pairs is not None:
                return await self._pairs.plan(entry, entry.resource, target, series, now=now)
            return await self._planned(entry, entry.resource, target, series, now)
        except Exception:
            logger.exception("%s: turn failed", entry.key)
            return Turn(entry, now, Unresolved("InternalError", "the turn failed; see the operator's log"))

    async def relieve(self, entry: Entry, target: Target, series: PodSeries, *, now: float) -> Turn | None:
        """The fast pass: a turn that adds replicas, or None.

        Decided on the last look first, which costs nothing; if that would act, on a fresh one, and only then for real.
        """
        if entry.resource is None or target.look is None:
            return None
        naps = unsettled(target.look.replicas)
        if self._relief(entry, target, target.look, series, now, naps=naps) is None:
            return None
        found = await self._looker.look(entry.resource)
        if isinstance(found, Unresolved) or target.busy:
            return None
        found = await self._noticed(target, found, entry.resource, now=now)
        target.look = found
        return self._relief(entry, target, found, series, now, naps=unsettled(found.replicas))

    async def _planned(self, entry: Entry, resource: Resource, target: Target, series: PodSeries, now: float) -> Turn:
        found = await self._looker.look(resource)
        if isinstance(found, Unresolved):
            return Turn(entry, now, found)
        found = await self._noticed(target, found, resource, now=now)
        changes = target.paced.speed.changes
        await self._taken_in(target, found, series, resource, now=now)
        spec, sight = possible(resource, target, now=now), self._sight(resource, target, found, series, now)
        # The first look at a day of bins takes a third of a second, which other targets need not wait for.
        lengths = await asyncio.to_thread(lengths_screened, target, sight.history)
        sight = replace(sight, usual=lengths.history)
        await self._prepared(resource, target, sight)
        evidence, decision = await asyncio.to_thread(
            plan_turn,
            spec=spec,
            sight=sight,
            memory=target.memory,
            forecaster=Announced(
                LocalTime(target.forecaster, offset_of(spec.time_zone)), spec.schedule, target.notebook
            ),
            rhythm=self._settings.rhythm,
            paths=self._settings.paths,
        )
        target.forecast = evidence.forecast
        marks = marks_of(decision, found, series, resource)
        changed = target.paced.speed.changes > changes
        scorecard = await self._scored(entry, target, evidence)
        warm, warm_news = self._warmth(target, found, evidence)
        return Turn(
            entry,
            now,
            found,
            evidence,
            decision,
            marks=marks,
            speed_changed=changed,
            scorecard=scorecard,
            odd=lengths.odd,
            warm=warm,
            warm_news=warm_news,
        )

    async def _prepared(self, resource: Resource, target: Target, sight: Sight) -> None:
        """Asks the network, where there is one, what the plan will ask."""
        if self._ahead is None:
            return
        question = question_of(spec=resource.spec, sight=sight, memory=target.memory, rhythm=self._settings.rhythm)
        await self._ahead.prepare(
            str(resource.key), aligned(sight.usual or sight.history, offset_of(resource.spec.time_zone)), question
        )

    async def _taken_in(
        self, target: Target, found: Look, series: PodSeries, resource: Resource, *, now: float
    ) -> None:
        """Demand, and what a replica carries, with what this look and these series say."""
        target.saw(found, now=now, keep_s=self._reading.window_s(resource.source))
        if not target.past_read and series.trust in (Trust.FRESH, Trust.PARTIAL):
            past = await self._reading.past(resource, now=now)
            target.history, target.past_read = past or target.history, past is not None
        target.history = self._reading.history(series, resource=resource, target=target, look=found, now=now)
        target.service = target.paced.learn(
            self._services.of(resource, target.history),
            series.replicas(resource.key.namespace, found.ready_pods()),
            hardware=(resource.model, resource.pool.accelerator, resource.pool.gpus_per_replica),
        )

    async def _noticed(self, target: Target, found: Look, resource: Resource, *, now: float) -> Look:
        """Takes in how the count moved since the last look; the look with what follows for us."""
        noticed(target, found, resource, now=now)
        target.contest = await met(self._looker, target.contest, found, resource, now=now)
        return told(found, target.contest)

    async def _scored(self, entry: Entry, target: Target, evidence: Evidence) -> Scorecard | None:
        """The scorecard to tell. One that fails costs itself, never the turn."""
        try:
            target.scorecard = await asyncio.to_thread(kept_up, target.scorecard, evidence)
        except Exception:
            logger.exception("%s: the scorecard failed and begins anew", entry.key)
            target.scorecard = None
        return target.scorecard if evidence.mode.compares else None

    def _warmth(self, target: Target, found: Look, evidence: Evidence) -> tuple[WarmAccount, News]:
        account = target.warm or WarmAccount(evidence.now)
        longest_s = MISSED_PLANS * self._settings.plan_s
        if found.scale.replicas == 0 or found.ready_pods():
            # What is started from now on starts from here, however many looks that takes.
            target.begins = PLACEHOLDER if target.held.nodes and found.scale.replicas == 0 else ZERO
        moment = moment_of(found, evidence, starts=target.begins, woke_s=target.naps.news())
        target.warm, news = seen(account, moment, longest_s=longest_s)
        return target.warm, news

    def _relief(
        self, entry: Entry, target: Target, look: Look, series: PodSeries, now: float, *, naps: bool
    ) -> Turn | None:
        """A turn where it would add or wake; with `naps` in any case, for pods that wait for their next step."""
        resource = entry.resource
        if resource is None:
            return None
        evidence, decision = relief_turn(
            spec=possible(resource, target, now=now),
            sight=self._sight(resource, target, look, series, now),
            memory=target.memory,
            rhythm=self._settings.rhythm,
            forecast=target.forecast,
        )
        if target.warm is not None and evidence.backlog is not None:
            target.warm = held_now(target.warm, evidence.backlog.waiting or 0.0)
        acts = naps or decision.tier or isinstance(decision.verdict, Act)
        return Turn(entry, now, look, evidence, decision) if acts else None

    def _sight(self, resource: Resource, target: Target, look: Look, series: PodSeries, now: float) -> Sight:
        if target.history is None or target.service is None:
            raise RuntimeError("a target is read before it is decided on")
        return Sight(
            now=now,
            pool=look.pool(resource),
            history=target.history,
            backlog=self._reading.backlog(series, resource=resource, look=look, now=now),
            service=target.service,
            cold_start=target.starts.cold_start(),
            pending=pending_of(target.status),
        )


def lengths_screened(target: Target, history: DemandHistory) -> Screened:
    """What is odd about lengths, and the history to forecast from. Nothing is learned of bins that may be unsound."""
    if history.trust is Trust.FRESH:
        target.usual = learned(target.usual, history)
    found = screened(target.usual, history)
    return found if overflow.SCREENS else replace(found, history=history)


def noticed(target: Target, found: Look, resource: Resource, *, now: float) -> None:
    """Under KEDA nobody tells us that an order was carried out: a count that has moved since our last look was one.

    The rates of `behavior` count such moves as they count our own writes elsewhere.
    """
    before = target.look.scale.replicas if target.look is not None else found.scale.replicas
    if resource.actuation == BY_KEDA and before != found.scale.replicas:
        target.memory = remember_scale(target.memory, at=now, before=before, after=found.scale.replicas)


def possible(resource: Resource, target: Target, *, now: float) -> TargetSpec:
    """The spec without the tiers that cannot be had at the moment."""
    spec = resource.spec
    if spec.rest is None or not spec.rest.between:
        return spec
    rest = spec.rest if target.naps.may(now) else spec.rest.without(SLEEPING)
    return replace(spec, rest=rest if target.held.trouble is None else rest.without(PLACEHOLDER))


def marks_of(decision: Decision, found: Look, series: PodSeries, resource: Resource) -> Marks | None:
    """Which pods may go, where the count is to fall; None where it does not, or where it is not ours to say which."""
    verdict = decision.verdict
    if not isinstance(verdict, Act) or verdict.order.after >= verdict.order.before:
        return None
    lost = tuple(one.name for one in found.replicas if one.nap is Nap.LOST and not one.terminating)
    if lost:
        return Marks(lost)
    if series.preset.gateway:
        return None
    present = [replica for replica in found.replicas if not replica.terminating]
    if any(replica.deletion_cost not in ("", CHEAP) for replica in present):
        return None
    ready = found.ready_pods()
    chosen = victims(
        ready=ready,
        in_flight=series.in_flight(resource.key.namespace, ready),
        unready=len(present) - len(ready),
        fewer=verdict.order.before - verdict.order.after,
    )
    marked = [replica.name for replica in present if replica.deletion_cost]
    return Marks(chosen, tuple(name for name in marked if name not in chosen))


def relievable(entry: Entry, target: Target | None) -> bool:
    """Whether the fast pass may do something: in a mode that acts of itself, planned before, and not just now."""
    if target is None or target.busy or entry.resource is None or entry.resource.decode is not None:
        return False
    if entry.resource.spec.mode not in (Mode.RAISE_ONLY, Mode.AUTO):
        return False
    return target.look is not None and target.history is not None and target.service is not None
