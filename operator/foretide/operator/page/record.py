"""The last decisions about each target, small enough to be kept for thousands: no evidence, no paths.

What repeats is told once, with the time since when. Used from one event loop only.
"""

from collections import deque
from dataclasses import dataclass, replace

from foretide.operator.look import Look, Unresolved
from foretide.operator.registry import Registry
from foretide.operator.seams import Key
from foretide.operator.status import Turn, shortened
from foretide.policies.flow import Act, Decision, Evidence
from foretide.policies.words import explain

KEPT = 10
"""Decisions per target: as many as its status keeps of its changes."""
SPARE = 64
"""Targets that are gone, kept until there are more than this."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Replicas of the pool."""

    live: int
    desired: int
    ready: int
    starting: int
    unschedulable: int


@dataclass(frozen=True, slots=True)
class Told:
    """One decision, and how long it has been the same. Times are seconds since 1970."""

    since: float
    until: float
    reason: str
    text: str
    acted: bool
    counts: Counts | None = None
    """None where the target was not found, or the turn failed."""
    trust: str = ""
    risks: tuple[tuple[int, float], ...] = ()
    """(replicas, P(a declared percentile breaks)) around the proposed count."""
    binding: str = ""
    lead_s: float | None = None
    """Seconds from an order to a ready replica, median."""


class Decisions:
    """Takes in finished turns."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._told: dict[Key, deque[Told]] = {}

    def take(self, turn: Turn) -> None:
        found = told_of(turn)
        if found is None:
            return
        past = self._told.setdefault(turn.entry.key, deque(maxlen=KEPT))
        if past and _same(past[0], found):
            past[0] = replace(found, since=past[0].since)
        else:
            past.appendleft(found)
        if len(self._told) > len(self._registry) + SPARE:
            self._told = {key: each for key, each in self._told.items() if self._registry.get(key)}

    def of(self, key: Key) -> tuple[Told, ...]:
        """Newest first; empty where nothing was decided yet."""
        return tuple(self._told.get(key, ()))


def told_of(turn: Turn) -> Told | None:
    """What a turn says of its target; None for one that had nothing to decide on."""
    if turn.evidence is not None and turn.decision is not None:
        return _decided(turn, turn.evidence, turn.decision)
    if isinstance(turn.found, Unresolved):
        return Told(turn.at, turn.at, turn.found.reason, shortened(turn.found.message), acted=False)
    return None


def _decided(turn: Turn, evidence: Evidence, decision: Decision) -> Told:
    pool, proposal = evidence.pool, decision.proposal
    conflict = turn.found.conflict if isinstance(turn.found, Look) else ""
    return Told(
        turn.at,
        turn.at,
        decision.reason.code.value,
        shortened(explain(decision, pool) + (f". {conflict}" if conflict else "")),
        acted=isinstance(decision.verdict, Act) and turn.actuation is not None,
        counts=Counts(pool.desired, decision.desired, pool.ready, pool.starting, pool.unschedulable),
        trust=evidence.history.trust.value,
        risks=tuple((risk.replicas, risk.probability) for risk in proposal.risks) if proposal else (),
        binding=proposal.binding if proposal else "",
        lead_s=evidence.cold_start.median_s,
    )


def _same(before: Told, after: Told) -> bool:
    """Whether the newer one only says again what stood. An act is never the same as another."""
    if before.acted or after.acted or before.reason != after.reason:
        return False
    if before.counts is None or after.counts is None:
        return before.counts is after.counts
    return (before.counts.live, before.counts.desired) == (after.counts.live, after.counts.desired)
