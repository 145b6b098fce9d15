"""What KEDA is told of one target: a count that was decided, lately and by the leader, or why there is none.

Pure. Promised: no answer is 0 unless zero replicas were decided on fresh metrics; whatever is stale, missing or not
ours to say is a refusal, so that KEDA does what its owner set for failures.
"""

import asyncio
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from foretide.operator.actuate import Outcome
from foretide.operator.registry import Entry
from foretide.operator.resource import BY_KEDA
from foretide.operator.seams import Key
from foretide.operator.status import Turn
from foretide.policies.flow import Act, Decision, Evidence, Trust

CARRY_S = 60.0
"""How long a raise outlives a later, smaller count: HPA asks every 15 s, and must have seen it."""


class Why(StrEnum):
    """Why there is no count; each is a gRPC status in scaler.py."""

    NOT_LEADING = "not leading"
    NOT_DECIDED = "not decided"
    STALE = "stale"
    UNKNOWN = "unknown"
    NOT_OURS = "not ours"
    BAD_REQUEST = "bad request"


@dataclass(frozen=True, slots=True)
class Answer:
    """Replicas to run."""

    replicas: int

    @property
    def active(self) -> bool:
        return self.replicas > 0


@dataclass(frozen=True, slots=True)
class Refusal:
    why: Why
    message: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the last decided turn of a target leaves standing."""

    uid: str
    at: float
    """Monotonic seconds at which its turn began."""
    replicas: int
    zero_is_meant: bool
    """Whether zero replicas were decided, on fresh metrics, and not merely found."""
    raised_at: float
    """When this count was first asked for by a raise; -inf where it was none."""
    pool: str = "main"
    conflict: str = ""
    reason: str = ""


class Decisions(Protocol):
    """All that the server needs of the operator."""

    def answer(self, key: Key, *, pool: str) -> Answer | Refusal:
        """What holds now; `pool` may be empty where there is only one."""
        ...

    def watching(self, key: Key) -> AbstractContextManager[asyncio.Event]:
        """An event that is set by every turn of that target, and when the operator stops.

        It is there before an answer is asked for, so that no turn falls between the two.
        """
        ...

    @property
    def stopping(self) -> bool: ...


def standing_of(turn: Turn, *, at: float) -> Standing | None:
    """What a finished turn leaves standing; None where it decided nothing, or its order was refused."""
    evidence, decision = turn.evidence, turn.decision
    refused = turn.actuation is not None and turn.actuation.outcome in (Outcome.REFUSED, Outcome.FAILED)
    if evidence is None or decision is None or refused:
        return None
    verdict = decision.verdict
    raises = isinstance(verdict, Act) and verdict.order.after > verdict.order.before
    return Standing(
        uid=turn.entry.uid,
        at=at,
        replicas=verdict.order.after if isinstance(verdict, Act) else verdict.replicas,
        zero_is_meant=_zero_is_meant(evidence, decision),
        raised_at=at if raises else float("-inf"),
        pool=evidence.pool.name,
        conflict=evidence.pool.conflict,
        reason=decision.reason.code.value,
    )


def succeeding(before: Standing | None, after: Standing) -> Standing:
    """`after`, with the count of an earlier raise that HPA has had no time to carry out.

    A fast pass raises for a queue; the plan a few seconds later still finds the old count and may well hold it.
    """
    if before is None or before.uid != after.uid or before.replicas <= after.replicas:
        return after
    if after.at - before.raised_at >= CARRY_S:
        return after
    return replace(after, replicas=before.replicas, raised_at=before.raised_at)


def answer(
    key: Key, entry: Entry | None, standing: Standing | None, *, pool: str, now: float, stale_s: float, leads: bool
) -> Answer | Refusal:
    """What KEDA is told of the resource `key`, of which the registry has `entry`. Times are monotonic seconds."""
    if not leads:
        return Refusal(Why.NOT_LEADING, "this operator does not lead; ask the one that holds the Lease")
    if entry is None:
        fix = "correct `autoscaler` in the trigger's metadata, or create it in the ScaledObject's namespace"
        return Refusal(Why.UNKNOWN, f"autoscaler: {key}: no such InferenceAutoscaler; {fix}")
    if refusal := _not_ours(key, entry, pool):
        return refusal
    if standing is None or standing.uid != entry.uid:
        return Refusal(Why.NOT_DECIDED, f"{key}: nothing was decided yet; see `foretide explain {key}`")
    return _spoilt(key, standing, age=now - standing.at, stale_s=stale_s) or Answer(standing.replicas)


def _spoilt(key: Key, standing: Standing, *, age: float, stale_s: float) -> Refusal | None:
    """Why what stands is no answer."""
    if not 0 <= age <= stale_s:
        return Refusal(Why.STALE, f"{key}: the last decision is {age:.0f} s old, {stale_s:.0f} s are allowed")
    if standing.conflict:
        return Refusal(Why.NOT_OURS, f"{key}: {standing.conflict}")
    if standing.replicas < 0 or (standing.replicas == 0 and not standing.zero_is_meant):
        return Refusal(Why.NOT_DECIDED, f"{key}: found at 0 replicas, which nobody decided ({standing.reason})")
    return None


def _not_ours(key: Key, entry: Entry, pool: str) -> Refusal | None:
    resource = entry.resource
    if resource is None:
        return Refusal(Why.NOT_OURS, f"{key}: its spec is not valid; see `foretide explain {key}`")
    if resource.actuation != BY_KEDA:
        return Refusal(Why.NOT_OURS, f"spec.actuation: {resource.actuation}: set `actuation: keda` in {key}")
    if pool not in ("", resource.pool.name):
        fix = f"{key} has {resource.pool.name}; write that or leave it out"
        return Refusal(Why.BAD_REQUEST, f"pool: {pool}: {fix}")
    return None


def _zero_is_meant(evidence: Evidence, decision: Decision) -> bool:
    """Zero that was decided: allowed by the limits, seen on fresh metrics, and proposed rather than found."""
    if evidence.pool.min_replicas > 0 or evidence.history.trust is not Trust.FRESH:
        return False
    ordered = isinstance(decision.verdict, Act) and decision.verdict.order.after == 0
    return ordered or (decision.proposal is not None and decision.proposal.replicas == 0)
