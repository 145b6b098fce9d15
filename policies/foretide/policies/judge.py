"""One window of measured demand, met by two fleets: what either cost, and whether it kept the promise, as P(kept).

Both are judged as a decision judges: by the capacity table, at every speed that the posterior allows.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from foretide.policies.accepted_risk import NEGLIGIBLE, misses_at
from foretide.policies.ahead import even_normals
from foretide.policies.flow import Evidence, Floats, ServiceModel
from foretide.policies.shadow import Fleet
from foretide.policies.tally import Account, Tally

DRAWS = 64
"""Equally likely speeds at which each window is judged."""
LONGEST_PLANS = 3.0
"""A look at the replicas speaks for this many planning intervals; beyond, nobody watched."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What stood from one plan on, and whether demand was measured whole by then."""

    at: float
    present: Fleet
    foretide: Fleet
    measured: bool


def judged_window(track: Sequence[Seen], evidence: Evidence, begin: float, span: float) -> Tally:
    """The window of `span` seconds from `begin`: judged for both fleets, or left out with its cause."""
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
    if service.capacity.steepness <= 0:
        return float((overload <= 0).all(axis=1).mean())
    return float((misses_at(overload, service.capacity).mean(axis=1) <= 1.0).mean())
