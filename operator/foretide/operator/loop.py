"""When: one sweep over all targets per plan interval, and a fast pass in between that only adds.

Batched reads, decisions, conditional writes of what changed. Events bring one target's plan forward and take no other
path. One target's failure is its own: it never stops the sweep.

What is NOT promised: a sweep within its interval whatever the number of targets. Its lag is measured and exported.
"""

import asyncio
import logging
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass
from math import floor

import numpy as np

from foretide.operator.actuate import Outcome
from foretide.operator.engines.preset import Lens
from foretide.operator.finish import Finisher
from foretide.operator.look import Looker
from foretide.operator.pair.finish import changed, decisions_of
from foretide.operator.reading import Reading
from foretide.operator.registry import Entry, Registry
from foretide.operator.seams import Clock, Key
from foretide.operator.settings import Settings
from foretide.operator.signals import PodSeries
from foretide.operator.status import Turn
from foretide.operator.target import Target, Targets
from foretide.operator.telemetry import Telemetry
from foretide.operator.turns import Turner, relievable
from foretide.policies.declared import SLEEPING
from foretide.policies.flow import REQUESTS, Act, Trust
from foretide.policies.sweep import global_hold, held

logger = logging.getLogger(__name__)
AT_ONCE = 8
"""Targets that are worked on concurrently."""
JUMP_S = 30.0
"""A wall clock that moves this much against the monotonic one has jumped."""
TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop is made of."""

    settings: Settings
    registry: Registry
    targets: Targets
    looker: Looker
    reading: Reading
    turner: Turner
    finisher: Finisher
    telemetry: Telemetry
    clock: Clock


class Loop:
    """The plan and the fast pass. `run` never returns."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._due: set[Key] = set()
        self._demand: float | None = None
        self._offset = parts.clock.now() - parts.clock.monotonic()
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self.swept_at = parts.clock.monotonic()
        """Monotonic time of the last finished sweep, for the watchdog."""
        self.rounds = 0
        """Finished sweeps."""

    def bring_forward(self, key: Key) -> None:
        """Something happened to this resource: it is planned at the next tick."""
        self._due.add(key)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._plans())
            tasks.create_task(self._reliefs())
            tasks.create_task(self._catches_up())

    async def plan_pass(self, keys: Collection[Key] | None = None) -> Sequence[Turn]:
        """Plans all targets, or those of `keys`, and returns what came of it."""
        now = self._clock.now()
        self._notice_a_jump(now)
        entries = [entry for entry in self._parts.registry.entries() if keys is None or entry.key in keys]
        if keys is None:
            self._drop_the_gone()
        pairs = [(entry, self._parts.targets.of(entry, now=now)) for entry in entries]
        for _, target in pairs:
            target.busy, target.planned_at = True, now
        try:
            self._parts.looker.begin_pass()
            series = await self._parts.reading.plan((entry.resource for entry in entries if entry.resource), now=now)
            turns = await asyncio.gather(*(self._planned(entry, target, series, now) for entry, target in pairs))
            turns = turns if keys else self._held(turns)
            return await asyncio.gather(*map(self._finished, turns, (target for _, target in pairs)))
        finally:
            for _, target in pairs:
                target.busy = False

    async def relief_pass(self) -> Sequence[Turn]:
        """Adds replicas where a queue asks for them now; returns the turns that ordered something."""
        now = self._clock.now()
        known = ((entry, self._parts.targets.known(entry.key)) for entry in self._parts.registry.entries())
        pairs = [(entry, target) for entry, target in known if target and relievable(entry, target)]
        if not pairs:
            return ()
        self._parts.looker.begin_pass()
        series = await self._parts.reading.queues((entry.resource for entry, _ in pairs if entry.resource), now=now)
        turns = await asyncio.gather(*(self._relieved(entry, target, series, now) for entry, target in pairs))
        return [turn for turn in turns if turn is not None]

    async def _plans(self) -> None:
        # By the monotonic clock: a wall clock that is set back by an hour must not put the next plan an hour away.
        due = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            if now >= due:
                self._parts.telemetry.sweep_lag.set(now - due)
                await self._survived("plan", self.plan_pass())
                self.swept_at, wall = self._clock.monotonic(), self._clock.now()
                self.rounds += 1
                due = self.swept_at + self._next_plan(wall) - wall
            elif keys := self._ripe(self._clock.now()):
                await self._survived("event", self.plan_pass(keys))
            await self._clock.sleep(TICK_S)

    async def _reliefs(self) -> None:
        while True:
            await self._clock.sleep(self._parts.settings.relief_s)
            await self._survived("relief", self.relief_pass())

    async def _catches_up(self) -> None:
        """Beside the plan, which waits for no status."""
        while True:
            await self._clock.sleep(TICK_S)
            if self._parts.finisher.waiting:
                await self._survived("catch-up", self._parts.finisher.catch_up())

    async def _survived(self, name: str, work: Coroutine[object, object, object]) -> None:
        """A pass that fails as a whole is logged; the next one is the retry, and the watchdog sees the age."""
        with self._parts.telemetry.sweep_duration.labels(name).time():
            try:
                await work
            except Exception:
                logger.exception("%s pass failed", name)

    def _next_plan(self, now: float) -> float:
        """One scrape behind the end of a bin of the grid: as soon as that bin is known."""
        settings = self._parts.settings
        behind = min(max(source.scrape_s for source in settings.sources.values()), settings.plan_s / 2)
        return (floor((now - behind) / settings.plan_s) + 1) * settings.plan_s + behind

    def _ripe(self, now: float) -> set[Key]:
        """Resources to plan now; one that was planned just now waits, so that fifty edits a second are one plan."""
        ripe = set()
        for key in self._due:
            target = self._parts.targets.known(key)
            if target is None or now - target.planned_at >= self._parts.settings.relief_s:
                ripe.add(key)
        self._due -= ripe
        return ripe

    async def _planned(self, entry: Entry, target: Target, series: dict[Lens, PodSeries], now: float) -> Turn:
        async with self._at_once:
            source = series.get(entry.resource.lens) if entry.resource else None
            return await self._parts.turner.plan(entry, target, source, now=now)

    async def _relieved(self, entry: Entry, target: Target, series: dict[Lens, PodSeries], now: float) -> Turn | None:
        if entry.resource is None:
            return None
        async with self._at_once:
            turn = await self._parts.turner.relieve(entry, target, series[entry.resource.lens], now=now)
        return await self._finished(turn, target) if turn else None

    async def _finished(self, turn: Turn, target: Target) -> Turn:
        async with self._at_once:
            turn = await self._parts.finisher.finish(turn, target)
        moved = any(part.actuation is not None and part.actuation.outcome is Outcome.MOVED for part in turn.parts)
        if moved or (turn.actuation is not None and _raised_with_gate(turn)):
            self.bring_forward(turn.entry.key)
        return turn

    def _held(self, turns: list[Turn]) -> list[Turn]:
        """The turns of a whole sweep, without their lowering where everything would fall at once."""
        decisions = {name: decision for turn in turns for name, decision in decisions_of(turn).items()}
        before, self._demand = self._demand, _total_demand(turns)
        why = global_hold(decisions, demand=self._demand, demand_before=before)
        self._parts.telemetry.global_hold.set(bool(why))
        self._parts.telemetry.targets.set(len(turns))
        self._parts.telemetry.blind.set(sum(_is_blind(turn) for turn in turns))
        if not why:
            return turns
        logger.warning("global hold: %s", why)
        return [changed(turn, lambda decision: held(decision, why)) for turn in turns]

    def _drop_the_gone(self) -> None:
        present = {entry.key for entry in self._parts.registry.entries()}
        for key in self._parts.targets.keep_only(present):
            self._parts.telemetry.forget(key)
            self._parts.finisher.forget(key)

    def _notice_a_jump(self, now: float) -> None:
        offset = now - self._clock.monotonic()
        if abs(offset - self._offset) > JUMP_S:
            logger.warning("the clock jumped by %.0f s; a full window is watched anew", offset - self._offset)
            self._parts.targets.forget_what_was_watched(now=now)
            self._offset = offset


def _raised_with_gate(turn: Turn) -> bool:
    """Whether pods start now whose readiness gate somebody has to open."""
    verdict, resource = turn.decision.verdict if turn.decision else None, turn.entry.resource
    raised = isinstance(verdict, Act) and verdict.order.after > verdict.order.before
    return raised and resource is not None and resource.warm.tier(SLEEPING) is not None


def _is_blind(turn: Turn) -> bool:
    return turn.evidence is None or turn.evidence.history.trust is not Trust.FRESH


def _total_demand(turns: Sequence[Turn]) -> float | None:
    """Requests/s over all targets in their newest measured bin; None where none is known."""
    rows = [turn.evidence.history.values[-1:] for turn in turns if turn.evidence]
    newest = [float(row[0, REQUESTS]) for row in rows if len(row)]
    known = [value for value in newest if np.isfinite(value)]
    return sum(known) if known else None
