"""What the present count and Foretide's own would have cost and kept: an estimate, kept window by window.

Both fleets meet the measured demand of each window of the objective, and both are judged as a decision judges: by the
capacity table, at every speed that the posterior allows. So they differ in their counts only. A window is left out
where demand was not measured whole, may have been more than measured, or was not watched; how much is told.

What is NOT promised: that users saw it. No latency is measured here; queues do not carry over from one window into the
next; and demand counts as if it had come whatever stood.
"""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from math import ceil, floor
from operator import attrgetter
from zlib import crc32

import numpy as np

from foretide.policies.flow import Evidence, Trust
from foretide.policies.judge import LONGEST_PLANS, Seen, judged_window
from foretide.policies.shadow import Fleet, Shadow, begun, present_fleet, shadowed
from foretide.policies.tally import Day, Tally

DAY_S = 86400.0
DAYS = 14
"""So many days are kept apart from each other; the total is of all."""
RESUME_S = 3600.0
"""After a longer absence the shadow takes over what stands, as Foretide would."""
LONGEST_TRACK = 5000


@dataclass(frozen=True, slots=True)
class Scorecard:
    """`until` is the end of the last window that is in the total. `track` and `shadow` belong to one life only."""

    since: float
    until: float
    terms: int
    """A checksum of what both are held to: under other terms a new scorecard begins."""
    total: Tally = field(default_factory=Tally)
    days: tuple[Day, ...] = ()
    track: tuple[Seen, ...] = ()
    shadow: Shadow | None = None
    resumed: int = 0
    """Replicas of the shadow at the end of an earlier life; 0 = unknown."""


def advanced(card: Scorecard | None, evidence: Evidence) -> Scorecard:
    """The scorecard after one plan, with every window that ended since."""
    if card is None or card.terms != terms_of(evidence):
        card = _new(evidence)
    if card.track and card.track[-1].at == evidence.now:
        return card
    card = _connected(card, evidence)
    shadow = shadowed(card.shadow or _taken_over(card, evidence), evidence)
    measured = evidence.history.trust is Trust.FRESH
    seen = Seen(evidence.now, present_fleet(evidence), shadow.fleet, measured)
    return _judged(replace(card, track=(*card.track, seen)[-LONGEST_TRACK:], shadow=shadow), evidence)


def interrupted(card: Scorecard, evidence: Evidence) -> Scorecard:
    """The scorecard while nothing is compared, as in mode Auto: that time is neither judged nor left out."""
    return replace(card, until=_window_from(evidence), track=(), shadow=None, resumed=0)


def terms_of(evidence: Evidence) -> int:
    """A checksum of the promise, the limits and the size of a replica."""
    pool = evidence.pool
    held_to = (evidence.objective, evidence.behavior, pool.min_replicas, pool.max_replicas, pool.gpus_per_replica)
    return crc32(repr(held_to).encode())


def window_s(evidence: Evidence) -> float:
    """A window as decisions see it: whole bins of the grid."""
    step = evidence.history.step
    return max(1, round(evidence.objective.window_s / step)) * step


def _new(evidence: Evidence) -> Scorecard:
    begins = _window_from(evidence)
    return Scorecard(begins, begins, terms_of(evidence))


def _window_from(evidence: Evidence) -> float:
    """Begin of the first window that begins now or later."""
    span = window_s(evidence)
    return ceil(evidence.now / span - 1e-9) * span


def _connected(card: Scorecard, evidence: Evidence) -> Scorecard:
    """The scorecard without looks that a gap, or a clock that went back, parts from this one."""
    since = evidence.now - card.track[-1].at if card.track else 0.0
    if since < 0:
        return replace(card, track=(), shadow=None, resumed=0)
    return card if since <= LONGEST_PLANS * evidence.rhythm.plan_s else replace(card, track=())


def _taken_over(card: Scorecard, evidence: Evidence) -> Shadow:
    if card.resumed and 0 <= evidence.now - card.until <= RESUME_S:
        return Shadow(Fleet(card.resumed), evidence.memory)
    return begun(evidence)


def _judged(card: Scorecard, evidence: Evidence) -> Scorecard:
    card, span = _with_unwatched(card, window_s(evidence)), window_s(evidence)
    while card.until + span <= _known_until(evidence, span) + 1e-6:
        found = judged_window(card.track, evidence, card.until, span)
        card = _added(card, found, card.until, card.until + span)
    covering = bisect_right(card.track, card.until, key=attrgetter("at")) - 1
    return replace(card, track=card.track[max(0, covering) :])


def _with_unwatched(card: Scorecard, span: float) -> Scorecard:
    """All windows before the first look of this life in few steps: there may be days of them."""
    first = floor(card.track[0].at / span) * span
    if first - card.until > DAYS * DAY_S:
        card = replace(card, until=first - DAYS * DAY_S)
    while card.until < first:
        end = min(first, (floor(card.until / DAY_S) + 1) * DAY_S)
        card = _added(card, Tally(unwatched_s=end - card.until), card.until, end)
    return card


def _known_until(evidence: Evidence, span: float) -> float:
    """The end of what is to be judged now: of known demand, or of what will not be known any more."""
    history = evidence.history
    known = min(history.end, evidence.now) if len(history.values) else -np.inf
    return float(max(known, evidence.now - span - 10 * history.step))


def _added(card: Scorecard, found: Tally, begin: float, end: float) -> Scorecard:
    number, days = floor(begin / DAY_S), card.days
    if days and days[-1].number == number:
        days = (*days[:-1], Day(number, days[-1].tally + found))
    else:
        days = (*days, Day(number, found))[-DAYS:]
    return replace(card, total=card.total + found, days=days, until=end)
