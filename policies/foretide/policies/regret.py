"""Lowering less after a lowering that was wrong: what was given up and had to be taken back is kept for a while.

A lowering saves GPU time only while it stands. One that is taken back within `Rhythm.regret_s` shows that the forecast
was less sure than it said, whatever made it so: noise as large as a replica, paths that follow the newest minute. Both
are changes of direction, so the next one waits twice as long: noise turns a count up, down and up again at most within
any `regret_s`, and hardly ever more than down and up.
Where lowerings stand, the stabilisation window is the whole hold.

What is NOT promised: fewer raises. Those are the promise, and nothing here holds one. Nor that a crowd's replicas are
kept: beyond `slack` above what was given up, a raise is news and not regret.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from foretide.policies.flow import Evidence, ScaleEvent

HOLDS = 2.0
"""In units of `regret_s`: for each of the two changes of direction once."""
REMEMBERED = HOLDS + 1.0
"""The same, for scale events: the lowering lies up to one before what took it back."""
SLACK = 0.25
USUAL_S, OF_A_SEASON = 1800.0, 1 / 48


@dataclass(frozen=True, slots=True)
class Regret:
    """A lowering that was taken back: the count before it, and when it was asked for again."""

    given_up: int
    taken_back_at: float

    @property
    def kept(self) -> int:
        """The count that is kept, in so far as it is there."""
        return self.given_up + slack(self.given_up)


def regret_time(season_s: float) -> float:
    """`Rhythm.regret_s` where demand looks alike after `season_s`: half an hour, and of a shorter day its 48th part."""
    return min(USUAL_S, OF_A_SEASON * season_s)


def kept_count(evidence: Evidence) -> tuple[int, str]:
    """The count below which nothing is lowered for what was taken back lately, and why in words; 0 without regret.

    Off where the owner wants lowering at once (a stabilisation window of 0).
    """
    within = evidence.rhythm.regret_s
    if not within or not evidence.behavior.down.stabilization_s:
        return 0, ""
    since = evidence.now - HOLDS * within
    felt = [one for one in regrets(evidence.memory.events, within_s=within) if one.taken_back_at > since]
    if not felt:
        return 0, ""
    most, last = max(felt, key=lambda one: one.kept), felt[-1]
    text = f"{last.given_up} were given up and taken back {evidence.now - last.taken_back_at:.0f} s ago"
    return most.kept, f"{text}; a lowering waits {HOLDS * within:.0f} s after that"


def regrets(events: Iterable[ScaleEvent], *, within_s: float) -> list[Regret]:
    """Lowerings that were taken back within so many seconds, oldest first. Going to zero and back is none.

    A lowering in several steps is one: the highest count of its last `within_s` is what was given up.
    """
    found, steps = [], list[ScaleEvent]()
    for before, event in pairwise((None, *sorted(events, key=lambda one: one.at))):
        if event is None or not (event.before and event.after):
            continue
        if event.after < event.before:
            steps.append(event)
            continue
        steps = [step for step in steps if event.at - step.at <= within_s]
        if steps and before is not None and before.after < before.before:
            found.append(Regret(max(step.before for step in steps), event.at))
    return found


def slack(replicas: int) -> int:
    """How far beyond a count noise may ask."""
    return max(1, ceil(SLACK * replicas))
