"""What the present count and Foretide's own would have cost and kept: an estimate, kept window by window.

Both fleets meet the measured demand of each window of the objective, and both are judged as a decision judges: by the
capacity table, at every speed that the posterior allows. So they differ in their counts only. A window is left out
where demand was not measured whole, may have been more than measured, or was not watched; how much is told.

What is NOT promised: that users saw it. No latency is measured here; queues do not carry over from one window into the
next; and demand counts as if it had come whatever stood.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil, floor
from operator import attrgetter
from zlib import crc32

import numpy as np

from foretide.policies.accepted_risk import LARGEST_EXPONENT, NEGLIGIBLE
from foretide.policies.ahead import even_normals
from foretide.policies.flow import Evidence, Floats, ServiceModel, Trust
from foretide.policies.shadow import Fleet, Shadow, begun, present_fleet, shadowed

DAY_S = 86400.0
DAYS = 14
"""So many days are kept apart from each other; the total is of all."""
DRAWS = 64
"""Equally likely speeds at which each window is judged."""
LONGEST_PLANS = 3.0
"""A look at the replicas speaks for this many planning intervals; beyond, nobody watched."""
RESUME_S = 3600.0
"""After a longer absence the shadow takes over what stands, as Foretide would."""
LONGEST_TRACK = 5000


@dataclass(frozen=True, slots=True)
class Account:
    """GPU-seconds of one fleet, and the expected seconds of windows in which it would have kept the promise."""

    gpu_s: float = 0.0
    kept_s: float = 0.0

    def __add__(self, other: "Account") -> "Account":
        return Account(self.gpu_s + other.gpu_s, self.kept_s + other.kept_s)


@dataclass(frozen=True, slots=True)
class Tally:
    """Windows in seconds: judged, or left out by what was wrong with them. Accounts are of the judged ones only."""

    judged_s: float = 0.0
    missing_s: float = 0.0
    censored_s: float = 0.0
    unwatched_s: float = 0.0
    present: Account = field(default_factory=Account)
    foretide: Account = field(default_factory=Account)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.judged_s + other.judged_s,
            self.missing_s + other.missing_s,
            self.censored_s + other.censored_s,
            self.unwatched_s + other.unwatched_s,
            self.present + other.present,
            self.foretide + other.foretide,
        )

    @property
    def all_s(self) -> float:
        return self.judged_s + self.missing_s + self.censored_s + self.unwatched_s

    def kept(self, account: Account) -> float | None:
        """Share of the judged windows, in [0, 1]; None where none was judged."""
        return min(1.0, account.kept_s / self.judged_s) if self.judged_s > 0 else None


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day, counted from 1970-01-01."""

    number: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Seen:
    """What stood from one plan on, and whether demand was measured whole by then."""

    at: float
    present: Fleet
    foretide: Fleet
    measured: bool


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
        found = _window(card.track, evidence, card.until, span)
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


def _window(track: Sequence[Seen], evidence: Evidence, begin: float, span: float) -> Tally:
    step, longest = evidence.history.step, LONGEST_PLANS * evidence.rhythm.plan_s
    middles = begin + step * (np.arange(round(span / step)) + 0.5)
    stood = [_seen_at(track, float(at), longest) for at in middles]
    known = [one for one in stood if one is not None]
    if len(known) < len(stood):
        return Tally(unwatched_s=span)
    rows, flags = _rows(evidence, begin, len(stood))
    told = (*known, *(one for one in track if begin < one.at <= begin + span + longest))
    if len(rows) < len(stood) or not np.isfinite(rows).all() or not all(one.measured for one in told):
        return Tally(missing_s=span)
    if flags.any():
        return Tally(censored_s=span)
    work = evidence.service.work.of(rows)
    present = _account(evidence, work, [(one.present, float(at)) for one, at in zip(known, middles, strict=True)])
    foretide = _account(evidence, work, [(one.foretide, float(at)) for one, at in zip(known, middles, strict=True)])
    return Tally(judged_s=span, present=present, foretide=foretide)


def _seen_at(track: Sequence[Seen], at: float, longest: float) -> Seen | None:
    index = bisect_right(track, at, key=attrgetter("at")) - 1
    return track[index] if index >= 0 and at - track[index].at <= longest else None


def _rows(evidence: Evidence, begin: float, count: int) -> tuple[Floats, Floats]:
    """Demand of the bins of a window, and which of them are censored; fewer than `count` where history is not there."""
    history = evidence.history
    first = round((begin - history.start) / history.step)
    rows = slice(max(0, first), max(0, first + count))
    return history.values[rows], history.flags[rows]


def _account(evidence: Evidence, work: Floats, stood: Sequence[tuple[Fleet, float]]) -> Account:
    step, gpus = evidence.history.step, evidence.pool.gpus_per_replica
    carried = np.array([evidence.service.capacity.total(fleet.ready_at(at)) for fleet, at in stood])
    held = sum(fleet.replicas for fleet, _ in stood)
    kept = probability_kept(evidence.service, work=work, carried=carried)
    return Account(gpu_s=held * gpus * step, kept_s=kept * step * len(stood))


def probability_kept(service: ServiceModel, *, work: Floats, carried: Floats) -> float:
    """P(the promise is kept in a window) at bins of `work`/s (B,) met by what carries `carried` work/s (B,).

    As a decision judges a window of a path: its mean misses must not be more than the objective allows.
    """
    speeds = service.weight(service.log_speed_mean + service.log_speed_sd * even_normals(DRAWS))
    overload = speeds[:, None] * work / np.maximum(carried, NEGLIGIBLE) - 1.0
    steepness = service.capacity.steepness
    if steepness <= 0:
        return float((overload <= 0).all(axis=1).mean())
    misses = np.exp(np.minimum(steepness * overload, LARGEST_EXPONENT))
    return float((misses.mean(axis=1) <= 1.0).mean())
