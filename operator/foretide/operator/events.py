"""Kubernetes Events about a resource: few, and only news. The same news is told once in ten minutes.

A drift alarm of a forecast is told once for each alarm, and at most once in an hour.

What is NOT promised: delivery. An event that cannot be written is dropped; the status says the same.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from foretide.operator.actuate import Outcome
from foretide.operator.resource import API_VERSION, KIND
from foretide.operator.seams import Cluster, ClusterError, Key
from foretide.operator.status import Turn, shortened
from foretide.operator.times import written_time
from foretide.policies.flow import ReasonCode
from foretide.policies.words import explain, how_fast

logger = logging.getLogger(__name__)
QUIET_S = 600.0
DRIFT_QUIET_S = 3600.0
"""A break of demand's behaviour is told once, and a further one of the same target no sooner than this."""
REMEMBERED = 5000


@dataclass(frozen=True, slots=True)
class Subject:
    """The resource that an event is about."""

    key: Key
    uid: str


def event_of(subject: Subject, *, at: float, kind: str, reason: str, message: str, by: str) -> dict[str, Any]:
    """An Event to be created; `kind` is Normal or Warning, `by` names the process."""
    key, time = subject.key, written_time(at)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{key.name[:200]}.", "namespace": key.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": key.namespace,
            "name": key.name,
            "uid": subject.uid,
        },
        "type": kind,
        "reason": reason,
        "message": shortened(message),
        "source": {"component": "foretide"},
        "reportingComponent": "foretide",
        "reportingInstance": by[:128],
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


class Events:
    """Tells what happened, rate-limited per resource and reason; actions are always told."""

    def __init__(self, cluster: Cluster, *, identity: str, emitting: Callable[[], None] = lambda: None) -> None:
        self._cluster = cluster
        self._identity = identity
        self._emitting = emitting
        """Called before each event."""
        self._told: dict[tuple[str, str, str], float] = {}
        self._alarms: dict[str, tuple[float, int]] = {}
        """By resource: when drift was last told, and how many alarms its forecaster had by then."""

    async def tell(self, turn: Turn, status: Mapping[str, Any]) -> None:
        """The events of one turn."""
        for part in turn.parts:
            done = part.actuation is not None and part.actuation.outcome is Outcome.DONE
            if done and part.decision and part.evidence:
                await self._emit(turn, "Normal", "Scaled", explain(part.decision, part.evidence.pool))
        for warning in turn.entry.warnings:
            await self._once(turn, "UnknownField", warning)
        for condition in status.get("conditions") or ():
            if condition["type"] == "Ready" and condition["status"] == "False":
                await self._once(turn, condition["reason"], condition["message"])
        await self._tell_changes(turn)
        for reason in turn.decision.verdict.reasons if turn.decision is not None else ():
            if reason.code is ReasonCode.APPROVAL_REFUSED:
                await self._emit(turn, "Warning", reason.code.value, reason.text)
        await self._tell_drift(turn)

    async def _tell_changes(self, turn: Turn) -> None:
        """What has changed about demand and replicas."""
        if turn.tier_trouble is not None:
            await self._once(turn, turn.tier_trouble.reason, turn.tier_trouble.message)
        if turn.odd:
            await self._once(turn, "UnusualLengths", turn.odd)
        if turn.speed_changed and turn.evidence is not None:
            await self._once(turn, "SpeedChanged", f"{how_fast(turn.evidence.service)}; capacity is reckoned anew")

    async def _tell_drift(self, turn: Turn) -> None:
        forecast = turn.evidence.forecast if turn.evidence is not None else None
        found = forecast.reliability if forecast is not None else None
        if found is None or not found.drift:
            return
        key = str(turn.entry.key)
        told_at, told = self._alarms.get(key, (float("-inf"), 0))
        # A new forecaster counts from nought again.
        if found.alarms == told or turn.at - told_at < DRIFT_QUIET_S:
            return
        self._alarms[key] = (turn.at, found.alarms)
        if len(self._alarms) > REMEMBERED:
            self._alarms = {name: one for name, one in self._alarms.items() if turn.at - one[0] < DRIFT_QUIET_S}
        message = f"demand no longer behaves as forecast: {found.drift}; the forecast is widened until it fits again"
        await self._emit(turn, "Warning", "ForecastDrift", message)

    async def _once(self, turn: Turn, reason: str, message: str) -> None:
        subject = (str(turn.entry.key), reason, message if reason == "UnknownField" else "")
        if turn.at - self._told.get(subject, -QUIET_S) < QUIET_S:
            return
        self._told[subject] = turn.at
        if len(self._told) > REMEMBERED:
            self._told = {told: at for told, at in self._told.items() if turn.at - at < QUIET_S}
        await self._emit(turn, "Warning", reason, message)

    async def _emit(self, turn: Turn, kind: str, reason: str, message: str) -> None:
        key = turn.entry.key
        event = event_of(
            Subject(key, turn.entry.uid), at=turn.at, kind=kind, reason=reason, message=message, by=self._identity
        )
        self._emitting()
        try:
            await self._cluster.emit(event)
        except ClusterError as error:
            logger.info("event of %s could not be written: %s", key, error)
