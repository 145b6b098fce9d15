"""The end of a turn: carry out, remember, record, tell. In this order, so that what is told has happened."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from foretide.operator.actuate import Outcome, actuate
from foretide.operator.events import Events
from foretide.operator.pace import Pace
from foretide.operator.pair.finish import carried_out
from foretide.operator.patches import patch_between
from foretide.operator.seams import Cluster, ClusterError, Journal, Key
from foretide.operator.status import Turn, signature, status_of
from foretide.operator.target import Target
from foretide.operator.telemetry import Telemetry
from foretide.operator.warmth import Warmth
from foretide.policies.approval import remember_answer
from foretide.policies.contest import wrote
from foretide.policies.flow import Act
from foretide.policies.journal import encode
from foretide.policies.memory import remember_scale

logger = logging.getLogger(__name__)
THE_TUNERS = "concurrency"
"""The part of the status that another process writes."""


class Finisher:
    """Finishes turns. Nothing is written to the cluster while `leads` says no; `decided` is told of every turn."""

    def __init__(  # noqa: PLR0913 (each is a place that is told of a turn)
        self,
        *,
        cluster: Cluster,
        events: Events,
        journal: Journal | None,
        telemetry: Telemetry,
        leads: Callable[[], bool],
        status_s: float,
        pace: Pace,
        decided: Callable[[Turn], None] = lambda _: None,
        warmth: Warmth | None = None,
    ) -> None:
        self._cluster = cluster
        self._events = events
        self._journal = journal
        self._telemetry = telemetry
        self._leads = leads
        self._status_s = status_s
        self._pace = pace
        self._untold: dict[Key, tuple[Turn, Target]] = {}
        """What waits for its turn to be told, in that order; of each resource only the newest."""
        self._decided = decided
        self._warmth = warmth

    async def finish(self, turn: Turn, target: Target) -> Turn:
        """The turn with what became of its order."""
        turn = await carried_out(turn, target, self._carry_out)
        if self._warmth is not None and self._leads() and turn.partner is None:
            turn = await self._warmth.settle(turn, target)
        self._decided(turn)
        for part in turn.parts if self._journal is not None else ():
            if self._journal is not None and part.evidence is not None and part.decision is not None:
                self._journal.append(encode(part.evidence, part.decision) | _of(turn, part))
        self._telemetry.count(turn)
        if self._leads():
            await self._tell(turn, target)
        else:
            # What is published is then another's word, which we take over with the lead.
            target.status = turn.entry.status or target.status
        return turn

    async def catch_up(self) -> None:
        """Tells what had to wait, as fast as the pace allows; of targets that are in a turn, that turn tells."""
        while self._leads() and self._pace.free():
            key = next((key for key, (_, target) in self._untold.items() if not target.busy), None)
            if key is None:
                break
            turn, target = self._untold.pop(key)
            await self._tell(turn, target)
        self._telemetry.untold.set(len(self._untold))

    @property
    def waiting(self) -> int:
        """Resources whose news waits."""
        return len(self._untold)

    def forget(self, key: Key) -> None:
        """A resource that is gone is told nothing."""
        self._untold.pop(key, None)

    async def _carry_out(self, turn: Turn, target: Target) -> Turn:
        evidence, decision, resource = turn.evidence, turn.decision, turn.entry.resource
        if evidence is None or decision is None or resource is None:
            return turn
        target.memory = decision.memory
        verdict = decision.verdict
        if not isinstance(verdict, Act) or not evidence.mode.acts or not self._leads():
            return turn
        order = verdict.order
        actuation = await actuate(
            self._cluster, resource=resource, pool=evidence.pool, order=order, leads=self._leads, marks=turn.marks
        )
        logger.info("%s: %s", turn.entry.key, actuation.message)
        if actuation.outcome is Outcome.DONE:
            target.contest = wrote(target.contest, order.after)
            memory = remember_scale(target.memory, at=turn.at, before=order.before, after=order.after)
            target.memory = remember_answer(memory, evidence.approval)
        elif actuation.outcome is Outcome.HANDED:
            target.memory = remember_answer(target.memory, evidence.approval)
        return replace(turn, actuation=actuation)

    async def _tell(self, turn: Turn, target: Target) -> None:
        status = status_of(turn, before=target.status)
        news = signature(status) != signature(target.status)
        due = news or turn.at - target.status_at >= self._status_s
        if due and not _has_acted(turn) and not self._pace.free():
            self._untold[turn.entry.key] = turn, target
            self._telemetry.untold.set(len(self._untold))
            return
        self._untold.pop(turn.entry.key, None)
        await self._events.tell(turn, status)
        if not due:
            return
        patch = patch_between(_ours(target.status), status)
        if not patch:
            return
        self._pace.spend()
        try:
            await self._cluster.write_status(turn.entry.key, patch)
        except ClusterError as error:
            self._telemetry.status_writes.labels("failed").inc()
            logger.info("status of %s could not be written: %s", turn.entry.key, error)
            return
        self._telemetry.status_writes.labels("done").inc()
        target.status, target.status_at = status, turn.at


def _has_acted(turn: Turn) -> bool:
    return turn.actuation is not None and turn.actuation.outcome is Outcome.DONE


def _of(turn: Turn, part: Turn) -> dict[str, Any]:
    """Whose record it is; of two pools, both have a record, which says that they were decided together."""
    outcome = part.actuation.outcome if part.actuation else None
    told: dict[str, Any] = {"target": str(turn.entry.key), "outcome": outcome}
    return told if turn.partner is None else told | {"role": "prefill" if part is turn else "decode"}


def _ours(status: Mapping[str, Any]) -> dict[str, Any]:
    """What is there without the tuner's part, which a patch would otherwise take away."""
    return {name: value for name, value in status.items() if name != THE_TUNERS}
