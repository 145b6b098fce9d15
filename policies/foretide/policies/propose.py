"""From demand paths to the fewest replicas whose probability of breaking the objective is accepted.

`CapacityTable` says what load n replicas carry while every declared percentile holds, and how fast misses grow beyond
it. A path breaks the objective with n replicas when, in some window of the planning horizon, the misses that its load
causes are more than the objective allows on average. Paths are joint in time and indicators; each meets its own draw of
the replica speed.

What is NOT promised: that the chosen count is cheap to reach. Speed of change belongs to the guardrails.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy.special import ndtri

from foretide.policies.flow import (
    CapacityTable,
    DemandForecast,
    DemandHistory,
    Evidence,
    Floats,
    Proposal,
    Reason,
    ReasonCode,
    Risk,
    ServiceModel,
)

LEAD_QUANTILE = 0.9
"""The planning horizon covers a cold start this unlucky: capacity ordered now must be ready when it is needed."""
LOWERING_CAUTION = 0.5
"""Going down must leave at most this share of the accepted risk, so that noise around a threshold does not flap."""
LARGEST_EXPONENT = 50.0
NEGLIGIBLE = 1e-9
"""Work/s that is as good as none."""
FLOOR_BINS = 2
"""The reactive floor looks at the mean of this many newest bins."""


def planning_horizon(evidence: Evidence) -> float:
    """Seconds ahead for which this decision must hold: lead time, one planning interval, and the bin under way."""
    lead = evidence.cold_start.quantile(LEAD_QUANTILE)
    return lead + evidence.rhythm.plan_s + evidence.history.step


def propose(evidence: Evidence) -> Proposal | None:
    """The smallest count in [minReplicas, maxReplicas] whose risk is accepted; None without a forecast.

    The newest measured demand is a floor: a forecast may only add to what is already needed.
    """
    if evidence.forecast is None:
        return None
    horizon = planning_horizon(evidence)
    ahead = ahead_of(evidence, evidence.forecast)
    accepted = evidence.objective.max_violation_probability
    wanted = smallest_count(evidence, ahead, accepted)
    if wanted < evidence.pool.desired:
        cautious = smallest_count(evidence, ahead, LOWERING_CAUTION * accepted)
        wanted = min(cautious, evidence.pool.desired)
    if evidence.forecast.flagged and settled(evidence):
        wanted = min(wanted, max(evidence.pool.desired, needed_now(evidence)))
    chosen = min(max(wanted, evidence.pool.min_replicas), evidence.pool.max_replicas)
    peaks = ahead.work.max(axis=1)
    risks = tuple(
        Risk(n, violation_probability(ahead, evidence.service.capacity, n))
        for n in (chosen - 1, chosen, chosen + 1)
        if n >= 0
    )
    return Proposal(
        replicas=chosen,
        risks=risks,
        binding=_binding(evidence, wanted, chosen),
        horizon_s=horizon,
        peak_work=(float(np.quantile(peaks, 0.5)), float(np.quantile(peaks, 0.95))),
        reason=_reason(evidence, wanted, chosen, risks, horizon),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """Work/s along each path over the planning horizon, at the path's own speed: (K, H); bins per objective window."""

    work: Floats
    window: int


def ahead_of(evidence: Evidence, forecast: DemandForecast) -> Ahead:
    """The forecast over this decision's planning horizon, as work."""
    steps = max(1, min(forecast.paths.shape[1], ceil(planning_horizon(evidence) / forecast.step - 1e-9)))
    work = evidence.service.work.of(forecast.paths[:, :steps])
    slowed = work * speed_draws(evidence.service, len(work))[:, None]
    return Ahead(slowed, max(1, min(steps, round(evidence.objective.window_s / forecast.step))))


def speed_draws(service: ServiceModel, count: int) -> Floats:
    """`count` equally likely slow-down factors, in an order that has nothing to do with the paths' order."""
    quantiles = (np.arange(count) + 0.5) / count
    draws = np.exp(service.log_speed_mean + service.log_speed_sd * ndtri(quantiles))
    return np.asarray(np.random.default_rng(count).permutation(draws), dtype=np.float64)


def recent_work(history: DemandHistory, service: ServiceModel) -> float:
    """Work/s of the newest measured bins, at the expected speed; 0 where none is known."""
    known = history.values[np.isfinite(history.values).all(axis=1)][-FLOOR_BINS:]
    if not len(known):
        return 0.0
    return float(service.work.of(known).mean() * np.exp(service.log_speed_mean))


def settled(evidence: Evidence) -> bool:
    """Past its first life, a target has a count that was right on real evidence.

    From then on a fallback forecast, wide because it knows nothing, no longer raises it; measured demand still does.
    """
    return evidence.now - evidence.memory.watching_since >= evidence.rhythm.first_life_s


def needed_now(evidence: Evidence) -> int:
    """Fewest replicas that carry the newest measured demand; maxReplicas + 1 if none do."""
    work, capacity = recent_work(evidence.history, evidence.service), evidence.service.capacity
    return fewest(lambda count: capacity.total(count) >= work, most=evidence.pool.max_replicas)


def smallest_count(evidence: Evidence, ahead: Ahead, accepted: float) -> int:
    """Fewest replicas with an accepted risk that also carry what is asked right now; maxReplicas + 1 if none do."""
    asked_now = recent_work(evidence.history, evidence.service)
    capacity = evidence.service.capacity

    def enough(count: int) -> bool:
        carried = capacity.total(count)
        return carried >= asked_now and violation_probability(ahead, capacity, count) <= accepted + 1e-9

    return fewest(enough, most=evidence.pool.max_replicas)


def fewest(enough: Callable[[int], bool], *, most: int) -> int:
    """The smallest count from 0 to `most` that is enough, by bisection; `most` + 1 where none is."""
    low, high = 0, most + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def violation_probability(ahead: Ahead, capacity: CapacityTable, replicas: int) -> float:
    """Share of paths in which some window misses more than the objective allows."""
    carried = capacity.total(replicas)
    if carried < NEGLIGIBLE:
        return float((ahead.work.max(axis=1) > 0).mean())
    overload = ahead.work / carried - 1.0
    if capacity.steepness <= 0:
        return float((overload > 0).any(axis=1).mean())
    misses = np.exp(np.minimum(capacity.steepness * overload, LARGEST_EXPONENT))
    sums = np.cumsum(np.pad(misses, ((0, 0), (1, 0))), axis=1)
    means = (sums[:, ahead.window :] - sums[:, : -ahead.window]) / ahead.window
    return float((means.max(axis=1) > 1.0).mean())


def _binding(evidence: Evidence, wanted: int, chosen: int) -> str:
    if wanted > chosen:
        return "maxReplicas"
    if wanted < chosen:
        return "minReplicas"
    return evidence.service.capacity.binding_at(max(1, chosen - 1))


def _reason(evidence: Evidence, wanted: int, chosen: int, risks: tuple[Risk, ...], horizon: float) -> Reason:
    accepted = evidence.objective.max_violation_probability
    odds = ", ".join(f"{risk.replicas}: {risk.probability:.3f}" for risk in risks)
    told = f"P(objective breaks within {horizon:.0f} s) by replicas is {odds}; accepted {accepted:g}"
    if wanted > evidence.pool.max_replicas:
        return Reason(ReasonCode.AT_MAXIMUM, f"demand needs more than maxReplicas {chosen}; {told}")
    if not evidence.pool.min_replicas <= evidence.pool.desired <= evidence.pool.max_replicas:
        return Reason(ReasonCode.WITHIN_BOUNDS, f"{evidence.pool.desired} replicas are outside the limits; {told}")
    if chosen > evidence.pool.desired:
        return Reason(ReasonCode.DEMAND_RISES, told)
    if chosen < evidence.pool.desired:
        return Reason(ReasonCode.DEMAND_FALLS, told)
    return Reason(ReasonCode.AT_MINIMUM if wanted < chosen else ReasonCode.STEADY, told)
