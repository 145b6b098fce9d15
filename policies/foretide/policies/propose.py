"""From demand paths to a count: by the risk that is accepted or, where the owner names prices, by expected cost.

Paths are joint in time and indicators; each meets its own draw of the replica speed.

What is NOT promised: that the chosen count is cheap to reach. Speed of change belongs to the guardrails.
"""

import numpy as np

from foretide.policies.accepted_risk import count_by_risk, fewest_carrying, violation_probability
from foretide.policies.ahead import Ahead, ahead_of, planning_horizon, recent_work
from foretide.policies.declared import SLEEPING
from foretide.policies.expected_cost import cost_told, count_by_cost
from foretide.policies.flow import Evidence, Proposal, Reason, ReasonCode, Risk
from foretide.policies.warm.ladder import READY, ZERO
from foretide.policies.warm.rest import Resting, rest_of

EXPECTED_REQUESTS = 0.5
"""From so many requests on the planning horizon is not idle, in the median of the paths."""


def propose(evidence: Evidence) -> Proposal | None:
    """The count in [minReplicas, maxReplicas] for the planning horizon; None without a forecast."""
    if evidence.forecast is None:
        return None
    horizon = planning_horizon(evidence)
    ahead = ahead_of(evidence, evidence.forecast)
    wanted = count_by_cost(evidence, ahead) if evidence.objective.costs else count_by_risk(evidence, ahead)
    if evidence.forecast.flagged and settled(evidence):
        wanted = min(wanted, max(evidence.pool.desired, needed_now(evidence)))
    chosen = min(max(wanted, evidence.pool.min_replicas), evidence.pool.max_replicas)
    rest = _resting(evidence, ahead)
    if rest is not None:
        chosen = max(chosen, 1) if rest.ready else _sleepers(evidence, rest)
        rest = None if chosen > 1 else rest
    if evidence.pool.lost and chosen and not evidence.pool.ready:
        chosen = min(chosen + evidence.pool.lost, max(evidence.pool.max_replicas, evidence.pool.desired))
    peaks = ahead.work.max(axis=1)
    risks = tuple(_risk(evidence, ahead, n) for n in (chosen - 1, chosen, chosen + 1) if n >= 0)
    return Proposal(
        replicas=chosen,
        risks=risks,
        binding=_binding(evidence, wanted, chosen) if rest is None else "idle time",
        horizon_s=horizon,
        peak_work=(float(np.quantile(peaks, 0.5)), float(np.quantile(peaks, 0.95))),
        reason=_reason(evidence, wanted, chosen, risks, horizon) if rest is None else _rested(evidence, rest),
        tier=_tier(evidence, rest, chosen),
    )


def settled(evidence: Evidence) -> bool:
    """Past its first life, a target has a count that was right on real evidence.

    From then on a fallback forecast, wide because it knows nothing, no longer raises it; measured demand still does.
    """
    return evidence.now - evidence.memory.watching_since >= evidence.rhythm.first_life_s


def needed_now(evidence: Evidence) -> int:
    """Fewest replicas that carry the newest measured demand; maxReplicas + 1 if none do."""
    work = recent_work(evidence.history, evidence.service)
    return fewest_carrying(work, evidence.service.capacity, most=evidence.pool.max_replicas)


def _risk(evidence: Evidence, ahead: Ahead, replicas: int) -> Risk:
    probability = violation_probability(ahead, evidence.service.capacity, replicas)
    return Risk(replicas, probability, cost_told(evidence, ahead, replicas))


def _binding(evidence: Evidence, wanted: int, chosen: int) -> str:
    if wanted > chosen:
        return "maxReplicas"
    if wanted < chosen:
        return "minReplicas"
    return evidence.service.capacity.binding_at(max(1, chosen - 1))


def _reason(evidence: Evidence, wanted: int, chosen: int, risks: tuple[Risk, ...], horizon: float) -> Reason:
    told = _told(evidence, risks, horizon)
    if wanted > evidence.pool.max_replicas:
        return Reason(ReasonCode.AT_MAXIMUM, f"demand needs more than maxReplicas {chosen}; {told}")
    if not evidence.pool.min_replicas <= evidence.pool.desired <= evidence.pool.max_replicas:
        return Reason(ReasonCode.WITHIN_BOUNDS, f"{evidence.pool.desired} replicas are outside the limits; {told}")
    if chosen > evidence.pool.desired:
        return Reason(ReasonCode.DEMAND_RISES, told)
    if chosen < evidence.pool.desired:
        return Reason(ReasonCode.DEMAND_FALLS, told)
    return Reason(ReasonCode.AT_MINIMUM if wanted < chosen else ReasonCode.STEADY, told)


def _resting(evidence: Evidence, ahead: Ahead) -> Resting | None:
    """How warm a target that may rest is kept; None where half of the paths bring requests, which then decide."""
    if evidence.rest is None:
        return None
    expected = float(np.median(ahead.requests.sum(axis=1) * ahead.step))
    return None if expected >= EXPECTED_REQUESTS else rest_of(evidence)


def _sleepers(evidence: Evidence, rest: Resting) -> int:
    """The replica that is to sleep; none is started for that."""
    return min(1, evidence.pool.desired) if rest.named == SLEEPING else 0


def _tier(evidence: Evidence, rest: Resting | None, chosen: int) -> str:
    if evidence.rest is None:
        return ""
    if rest is None or rest.ready:
        return READY
    return rest.named if chosen or rest.named != SLEEPING else ZERO


def _rested(evidence: Evidence, rest: Resting) -> Reason:
    if not rest.ready:
        sleeps = rest.named == SLEEPING and evidence.pool.desired
        return Reason(ReasonCode.ASLEEP if sleeps else ReasonCode.IDLE, rest.text)
    stands = evidence.pool.desired and not evidence.pool.asleep
    return Reason(ReasonCode.KEPT_WARM if stands else ReasonCode.WOKEN, rest.text)


def _told(evidence: Evidence, risks: tuple[Risk, ...], horizon: float) -> str:
    odds = ", ".join(f"{risk.replicas}: {risk.probability:.3f}" for risk in risks)
    told = f"P(objective breaks within {horizon:.0f} s) by replicas is {odds}"
    if evidence.objective.costs is None:
        return f"{told}; accepted {evidence.objective.max_violation_probability:g}"
    costs = ", ".join(f"{risk.replicas}: {risk.hourly_cost:.4g}" for risk in risks if risk.hourly_cost is not None)
    return f"expected cost per hour by replicas is {costs}; {told}"
