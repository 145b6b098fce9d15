"""From demand paths to the fewest replicas whose probability of breaking the objective is accepted.

A path breaks the objective with n replicas when its peak work over the planning horizon is more than n replicas carry
(`CapacityTable`: the largest load at which every declared percentile still holds). The paths are joint, so the peak is
a peak of work, not a sum of marginal peaks; each path meets its own draw of the replica speed.

What is NOT promised: that the chosen count is cheap to reach. Speed of change belongs to the guardrails.
"""

from math import floor

import numpy as np
from scipy.special import ndtri

from foretide.policies.flow import (
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
    demand = peak_work(evidence.forecast, evidence.service, horizon)
    needed = np.sort(demand * speed_draws(evidence.service, len(demand)))
    accepted = accepted_quantile(needed, evidence.objective.max_violation_probability)
    floor_work = recent_work(evidence.history, evidence.service)
    wanted = smallest_count(evidence, max(accepted, floor_work))
    if wanted < evidence.pool.desired:
        cautious = accepted_quantile(needed, LOWERING_CAUTION * evidence.objective.max_violation_probability)
        wanted = min(smallest_count(evidence, max(cautious, floor_work)), max(wanted, evidence.pool.desired))
    chosen = min(max(wanted, evidence.pool.min_replicas), evidence.pool.max_replicas)
    risks = tuple(
        Risk(n, violation_probability(needed, evidence.service, n)) for n in (chosen - 1, chosen, chosen + 1) if n >= 0
    )
    return Proposal(
        replicas=chosen,
        risks=risks,
        binding=_binding(evidence, wanted, chosen),
        horizon_s=horizon,
        peak_work=(float(np.quantile(demand, 0.5)), float(np.quantile(demand, 0.95))),
        reason=_reason(evidence, wanted, chosen, risks, horizon),
    )


def peak_work(forecast: DemandForecast, service: ServiceModel, horizon_s: float) -> Floats:
    """Largest work/s of each path over the next `horizon_s` seconds: shape (K,)."""
    steps = max(1, min(forecast.paths.shape[1], round(horizon_s / forecast.step)))
    return np.asarray(service.work.of(forecast.paths[:, :steps]).max(axis=1), dtype=np.float64)


def speed_draws(service: ServiceModel, count: int) -> Floats:
    """`count` equally likely slow-down factors, in an order that has nothing to do with the paths' order."""
    quantiles = (np.arange(count) + 0.5) / count
    draws = np.exp(service.log_speed_mean + service.log_speed_sd * ndtri(quantiles))
    return np.asarray(np.random.default_rng(count).permutation(draws), dtype=np.float64)


def accepted_quantile(needed: Floats, accepted: float) -> float:
    """The work that must be carried so that at most a share `accepted` of the paths exceeds it; `needed` ascends."""
    allowed = floor(accepted * len(needed) + 1e-9)
    return float(needed[max(0, len(needed) - 1 - allowed)])


def recent_work(history: DemandHistory, service: ServiceModel) -> float:
    """Work/s of the newest measured bins, at the expected speed; 0 where none is known."""
    known = history.values[np.isfinite(history.values).all(axis=1)][-FLOOR_BINS:]
    if not len(known):
        return 0.0
    return float(service.work.of(known).mean() * np.exp(service.log_speed_mean))


def smallest_count(evidence: Evidence, work: float) -> int:
    """Fewest replicas that carry `work`; one more than maxReplicas where even those do not."""
    low, high = 0, evidence.pool.max_replicas + 1
    while low < high:
        middle = (low + high) // 2
        if evidence.service.capacity.total(middle) >= work:
            high = middle
        else:
            low = middle + 1
    return low


def violation_probability(needed: Floats, service: ServiceModel, replicas: int) -> float:
    """Share of paths that need more than `replicas` carry; `needed` ascends."""
    carried = int(np.searchsorted(needed, service.capacity.total(replicas), side="right"))
    return 1.0 - carried / len(needed)


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
