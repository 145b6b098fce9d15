"""One turn of two pools: both looked at and read, one demand, one decision, an order for each. Nothing is written here.

What is NOT done for two pools: the fast pass for a live backlog, the learning of replicas' speed, and the scorecard.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from foretide.forecaster.announced import Announced
from foretide.forecaster.local_time import LocalTime, aligned, offset_of
from foretide.operator.ahead import Ahead
from foretide.operator.contests import met, told
from foretide.operator.look import Look, Looker, Unresolved
from foretide.operator.pair.demand import joined
from foretide.operator.pair.service import RoleServices
from foretide.operator.pair.views import views
from foretide.operator.reading import Reading
from foretide.operator.registry import Entry
from foretide.operator.resource import Resource
from foretide.operator.settings import Settings
from foretide.operator.signals import PodSeries
from foretide.operator.status import Turn
from foretide.operator.target import Target, halves_of
from foretide.operator.turns import lengths_screened, marks_of
from foretide.policies.flow import Decision, DemandHistory, Evidence, ServiceModel, Trust
from foretide.policies.overflow import Screened
from foretide.policies.pair.setting import PairDecision, PairEvidence, Prices
from foretide.policies.pair.turn import Half, PairSpec, pair_question, plan_pair_turn
from foretide.policies.turn import Sight


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two pools in this turn."""

    view: Resource
    half: Target
    look: Look


@dataclass(frozen=True, slots=True)
class _Seen:
    """What this turn has to decide on."""

    sides: tuple[_Side, _Side]
    series: PodSeries
    demand: DemandHistory
    lengths: Screened
    now: float


class PairTurner:
    """Takes the turns of resources with two pools. Raises what goes wrong; `Turner` makes a turn of it."""

    def __init__(
        self,
        *,
        settings: Settings,
        looker: Looker,
        reading: Reading,
        roles: RoleServices,
        ahead: Ahead | None = None,
    ) -> None:
        self._settings = settings
        self._looker = looker
        self._reading = reading
        self._roles = roles
        self._ahead = ahead

    async def plan(self, entry: Entry, resource: Resource, target: Target, series: PodSeries, *, now: float) -> Turn:
        """A full turn: the prefill pool's, with the decode pool's as its partner."""
        sides: list[_Side] = []
        for view, half in zip(views(resource), halves_of(target, entry, self._settings), strict=True):
            found = await self._looker.look(view)
            if isinstance(found, Unresolved):
                return Turn(entry, now, found)
            half.contest = await met(self._looker, half.contest, found, view, now=now)
            sides.append(_Side(view, half, told(found, half.contest)))
        prefill, decode = [await self._asked(side, series, now=now) for side in sides]
        target.history = joined(prefill, decode)
        lengths = await asyncio.to_thread(lengths_screened, target, target.history)
        seen = _Seen((sides[0], sides[1]), series, target.history, lengths, now)
        evidence, decision = await self._decided(entry, resource, target, seen)
        target.forecast = evidence.prefill.forecast
        return _turn(entry, seen, evidence, decision)

    async def _asked(self, side: _Side, series: PodSeries, *, now: float) -> DemandHistory:
        """What one pool's own engines were asked for, with what this look and these series say."""
        view, half = side.view, side.half
        half.saw(side.look, now=now, keep_s=self._reading.window_s(view.source))
        if not half.past_read and series.trust in (Trust.FRESH, Trust.PARTIAL):
            past = await self._reading.past(view, now=now)
            half.history, half.past_read = past or half.history, past is not None
        half.history = self._reading.history(series, resource=view, target=half, look=side.look, now=now)
        return half.history

    async def _decided(
        self, entry: Entry, resource: Resource, target: Target, seen: _Seen
    ) -> tuple[PairEvidence, PairDecision]:
        roles, spec, rhythm = self._roles.of(resource, seen.demand), resource.spec, self._settings.rhythm
        prefill, decode = (
            Half(self._sight(side, service, seen), side.half.memory)
            for side, service in zip(seen.sides, (roles.prefill, roles.decode), strict=True)
        )
        offset = offset_of(spec.time_zone)
        if self._ahead is not None:
            question = pair_question(spec=spec, prefill=prefill, decode=decode, rhythm=rhythm)
            await self._ahead.prepare(str(entry.key), aligned(seen.lengths.history, offset), question)
        return await asyncio.to_thread(
            plan_pair_turn,
            spec=PairSpec(spec, _prices(seen.sides), resource.ratio),
            prefill=prefill,
            decode=decode,
            forecaster=Announced(LocalTime(target.forecaster, offset), spec.schedule, target.notebook),
            rhythm=rhythm,
            paths=self._settings.paths,
        )

    def _sight(self, side: _Side, service: ServiceModel, seen: _Seen) -> Sight:
        view, look, now = side.view, side.look, seen.now
        return Sight(
            now=now,
            pool=look.pool(view),
            history=seen.demand,
            backlog=self._reading.backlog(seen.series, resource=view, look=look, now=now),
            service=service,
            cold_start=side.half.starts.cold_start(),
            usual=seen.lengths.history,
        )


def _prices(sides: Sequence[_Side]) -> Prices:
    """A GPU is a GPU: kinds have no prices yet."""
    prefill, decode = (side.view.pool.gpus_per_replica for side in sides)
    return Prices(float(prefill), float(decode))


def _turn(entry: Entry, seen: _Seen, evidence: PairEvidence, decision: PairDecision) -> Turn:
    def of(side: _Side, at: Entry, found: Evidence, decided: Decision) -> Turn:
        marks = marks_of(decided, side.look, seen.series, side.view)
        return Turn(at, seen.now, side.look, found, decided, marks=marks)

    first, second = seen.sides
    partner = of(second, replace(entry, resource=second.view), evidence.decode, decision.decode)
    prefill = of(first, entry, evidence.prefill, decision.prefill)
    return replace(prefill, partner=partner, pair=decision.proposal, odd=seen.lengths.odd)
