"""Whether one target stays ready while nobody asks for it: its idle periods out of its own demand history.

A minute that was not measured is never idle: an idle period is known up to it and no further, and the time since the
last request is counted from the newest such minute.

What is NOT promised: a fleet to borrow from. A target without idle periods of its own starts from a hazard that falls
with the time since the last request (1 / (minutes + 2)).
"""

from dataclasses import dataclass
from math import ceil

import numpy as np

from foretide.policies.flow import REQUESTS, DemandHistory, Evidence, Rest, Trust
from foretide.policies.service import Floats
from foretide.policies.warm.hold import MINUTE_S, cheapest
from foretide.policies.warm.idle import AGES, Gaps, hazard, survived, waiting_mean
from foretide.policies.warm.ladder import READY, ZERO, by_keep_alive, place_of, usable

WORTH = 8.0
"""GPU-seconds that a second of one request's waiting is worth where the owner names no prices. Ours."""
SHORTEST_START_S = 0.1


@dataclass(frozen=True, slots=True)
class Resting:
    """Whether a replica is to be ready in the minutes that a start takes from now, and why, in words."""

    ready: bool
    text: str
    tier: str = ""
    """The name of the tier; ready or zero where it is empty."""

    @property
    def named(self) -> str:
        return self.tier or (READY if self.ready else ZERO)


def rest_of(evidence: Evidence) -> Resting:
    """Raises ValueError for evidence of a target that may not rest."""
    if evidence.rest is None:
        raise ValueError("rest: none: only a target that may go to zero rests")
    backlog = evidence.backlog
    if backlog is not None and backlog.trust in (Trust.FRESH, Trust.PARTIAL) and (backlog.waiting or backlog.running):
        return Resting(True, f"{backlog.running or 0:.0f} requests run and {backlog.waiting or 0:.0f} wait")
    rates = by_minute(evidence.history)
    idle_min = idle_for(rates)
    if idle_min == 0:
        return Resting(True, "requests came, or were not measured, in the last minute")
    if evidence.rest.keep_alive_s is not None:
        tier = by_keep_alive(evidence.rest, idle_s=idle_min * MINUTE_S)
        text = f"idle for {idle_min} min; keepAlive is {evidence.rest.keep_alive_s / MINUTE_S:g} min"
        return Resting(tier == READY, text, tier)
    return _by_hazard(evidence, rates, idle_min)


def _by_hazard(evidence: Evidence, rates: Floats, idle_min: int) -> Resting:
    gaps = gaps_of(rates, ages=AGES)
    nobody = Gaps(np.zeros((1, AGES)), np.zeros((1, AGES)))
    hazards = hazard(gaps, fleet=nobody)[:, min(idle_min, AGES - 1) :]
    wake_s = max(SHORTEST_START_S, evidence.cold_start.quantile(0.5))
    waiting = waiting_requests(rates, wake_s=wake_s)
    tiers = usable(evidence.rest or Rest(), wake_s=wake_s)
    place = place_of(tiers, desired=evidence.pool.desired, asleep=evidence.pool.asleep)
    # A sleeper is ready within its own wake time; whoever stands ready or at zero looks ahead as far as a start takes.
    asleep = 0 < place < len(tiers.steps) - 1
    lead = ceil((tiers.steps[place].wake_s if asleep else evidence.cold_start.quantile(0.9)) / MINUTE_S)
    held = cheapest(
        hazards,
        tiers=tiers,
        waiting=np.array([waiting]),
        worth=worth_of(evidence, wake_s=wake_s),
        start=place,
        ages=lead + 1,
    )
    tier = tiers.steps[int(held.tiers[0].max())].name
    soon = 1.0 - float(survived(hazards)[0, min(10, hazards.shape[1]) - 1])
    text = f"idle for {idle_min} min, after {int(gaps.ended[0, 1:].sum())} idle periods before; "
    return Resting(tier == READY, f"{text}P(a request within 10 min) is {soon:.2f}, a start takes {wake_s:.0f} s", tier)


def worth_of(evidence: Evidence, *, wake_s: float) -> float:
    """GPU-seconds of a replica that one request's waiting for one second is worth: a request that waits for a start
    misses its objective, at the price that the owner names for that.
    """
    costs = evidence.objective.costs
    if costs is None:
        return WORTH
    replica_hour = costs.gpu_hour * evidence.pool.gpus_per_replica
    return 3600.0 * costs.violation / replica_hour / wake_s


def by_minute(history: DemandHistory) -> Floats:
    """(M,) requests/s by minute, the newest rows a minute of their own; NaN where any part was not measured."""
    if history.step >= MINUTE_S:
        return history.values[:, REQUESTS]
    ratio = round(MINUTE_S / history.step)
    rows = history.values[len(history.values) % ratio :, REQUESTS]
    return np.asarray(rows.reshape(-1, ratio).mean(axis=1))


def idle_for(rates: Floats) -> int:
    """Minutes since the last one that had requests or was not measured."""
    busy = np.flatnonzero(~(rates == 0.0))
    return len(rates) - 1 - int(busy[-1]) if len(busy) else len(rates)


def gaps_of(rates: Floats, *, ages: int) -> Gaps:
    """One row: the idle periods between minutes with requests, as far as they were measured. The present one counts as
    far as it has come.
    """
    busy, unknown = rates > 0, ~np.isfinite(rates)
    begins = np.flatnonzero(busy)
    ends = np.append(np.flatnonzero(busy | unknown), len(rates))
    ended, reached = np.zeros(ages), np.zeros(ages + 1)
    following = ends[np.searchsorted(ends, begins + 1)]
    closed = (following < len(rates)) & busy[np.minimum(following, len(rates) - 1)]
    lengths = following - begins
    # A period that a request ends has that minute as its last age; one that the unknown ends has it no more.
    last = np.minimum(np.where(closed, lengths, lengths - 1), ages)
    np.add.at(ended, lengths[closed & (lengths <= ages)] - 1, 1.0)
    np.add.at(reached, last, 1.0)
    return Gaps(ended[None, :], np.cumsum(reached[::-1])[::-1][None, 1:])


def waiting_requests(rates: Floats, *, wake_s: float) -> float:
    """Mean number of requests that a start after an idle minute makes wait, at least 1."""
    known = np.where(np.isfinite(rates), rates, 0.0)
    begins = np.flatnonzero((known[1:] > 0) & (rates[:-1] == 0)) + 1
    minutes = max(1, ceil(wake_s / MINUTE_S))
    share = wake_s / (minutes * MINUTE_S)
    counts = [max(1.0, share * MINUTE_S * float(known[at : at + minutes].sum())) for at in begins]
    return float(waiting_mean(sum(counts), starts=len(counts)))
