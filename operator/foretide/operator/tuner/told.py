"""What the tuner publishes of one resource: its part of the status, and the events that are news. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foretide.operator.status import shortened
from foretide.operator.times import written_time
from foretide.operator.tuner.memory import Memory

STOPPED, WAITING = "Stopped", "Waiting"
UNANSWERED = "WriteFailed"
"""Of a write that may have been done all the same."""
UNVERIFIED = "NotVerified"
"""Of a write that was answered well, and did not hold."""
QUIET = ("Off", "Paused", "Recommending")
"""Reasons to stand still that their owner gave: no event tells of them."""


@dataclass(frozen=True, slots=True)
class Still:
    """Why nothing is decided: for good, until its owner does something, or for now."""

    state: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Change:
    """A number that was written; `to` is in force now."""

    before: int
    to: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one turn."""

    state: str
    reason: str
    message: str
    memory: Memory
    limit: int | None = None
    """In force, as last read or written."""
    baseline: int | None = None
    canary: int | None = None
    change: Change | None = None
    writing: int | None = None


def part(told: Told, *, before: Mapping[str, Any], generation: int, at: float) -> dict[str, Any]:
    """`status.concurrency`; what is not known now stays as it was known before."""
    status: dict[str, Any] = {
        "time": written_time(at),
        "observedGeneration": generation,
        "state": told.state,
        "reason": told.reason,
        "message": shortened(told.message),
        "memory": told.memory.text(),
    }
    for name, value in (("limit", told.limit), ("baseline", told.baseline)):
        if value is not None or name in before:
            status[name] = before[name] if value is None else value
    if told.canary is not None:
        status["canary"] = told.canary
    if told.writing is not None:
        status["writing"] = told.writing
    if told.change is not None:
        change = told.change
        status["lastChange"] = {"time": written_time(at), "from": change.before, "to": change.to}
        status["lastChange"] |= {"reason": change.reason, "message": shortened(change.message)}
    elif "lastChange" in before:
        status["lastChange"] = before["lastChange"]
    return status


def news(told: Told, *, before: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """(type, reason, message) of the events of a turn: each change, and each new reason to stop."""
    events = []
    if (change := told.change) is not None:
        back = change.reason == "RolledBack"
        name, kind = ("LimitRolledBack", "Warning") if back else ("LimitChanged", "Normal")
        events.append((kind, name, f"{change.before} -> {change.to}: {change.message}"))
    elif told.reason == "Rejected":
        events.append(("Normal", "CanaryRejected", told.message))
    stopped = told.state == STOPPED and told.reason not in QUIET
    if stopped and (told.reason, shortened(told.message)) != (before.get("reason"), before.get("message")):
        events.append(("Warning", f"Limit{told.reason}", told.message))
    return tuple(events)
