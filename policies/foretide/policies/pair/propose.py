"""From joint demand paths to a pair of counts: the cheapest whose joint risk is accepted.

Follows the decision for one pool: the newest measured demand is a floor, going down must leave a smaller risk than
staying, and a fallback forecast raises a settled pair no further than what is measured.
"""

from foretide.policies.accepted_risk import LOWERING_CAUTION
from foretide.policies.flow import Evidence, Reason, ReasonCode
from foretide.policies.pair.choose import Limits, cheapest
from foretide.policies.pair.needs import Needs, needs_of
from foretide.policies.pair.setting import Counts, PairEvidence, PairProposal
from foretide.policies.propose import needed_now, settled


def propose_pair(evidence: PairEvidence) -> PairProposal | None:
    """The pair for the planning horizon; None without a forecast."""
    if evidence.prefill.forecast is None or evidence.decode.forecast is None:
        return None
    needs, limits = needs_of(evidence), limits_of(evidence)
    wanted = _wanted(evidence, needs, limits)
    held = wanted is not None
    counts = _no_higher_on_a_fallback(evidence, wanted or _as_much_as_there_may_be(evidence, limits))
    probability = needs.probability(counts)
    return PairProposal(
        counts=counts,
        probability=probability,
        hourly_cost=evidence.prices.of(counts),
        held=held,
        reason=_reason(evidence, counts, probability, held=held),
    )


def limits_of(evidence: PairEvidence) -> Limits:
    """MinReplicas or what present demand needs, whichever is more; never above maxReplicas."""
    prefill, decode = _limits(evidence.prefill), _limits(evidence.decode)
    return Limits(Counts(prefill[0], decode[0]), Counts(prefill[1], decode[1]))


def _limits(evidence: Evidence) -> tuple[int, int]:
    pool = evidence.pool
    return min(max(pool.min_replicas, needed_now(evidence)), pool.max_replicas), pool.max_replicas


def _wanted(evidence: PairEvidence, needs: Needs, limits: Limits) -> Counts | None:
    """The cheapest pair; where that saves money, one with a smaller risk, unless staying costs no more than that."""
    accepted = evidence.prefill.objective.max_violation_probability
    now, price = now_of(evidence), evidence.prices.of
    best = _cheapest(evidence, needs, limits, accepted)
    stays = _may_stay(evidence, needs, limits, accepted)
    if best is None or not stays:
        return best
    cautious = _cheapest(evidence, needs, limits, LOWERING_CAUTION * accepted)
    return cautious if cautious is not None and price(cautious) < price(now) - 1e-9 else now


def _may_stay(evidence: PairEvidence, needs: Needs, limits: Limits, accepted: float) -> bool:
    now, least, most = now_of(evidence), limits.least, limits.most
    inside = least.prefill <= now.prefill <= most.prefill and least.decode <= now.decode <= most.decode
    return inside and evidence.ratio.allows(now) and needs.probability(now) <= accepted + 1e-9


def _cheapest(evidence: PairEvidence, needs: Needs, limits: Limits, accepted: float) -> Counts | None:
    return cheapest(needs, prices=evidence.prices, accepted=accepted, limits=limits, ratio=evidence.ratio)


def _as_much_as_there_may_be(evidence: PairEvidence, limits: Limits) -> Counts:
    """The largest pair within the limits and the ratio; what is there, where no pair is within both."""
    most, ratio = limits.most, evidence.ratio
    allowed = ratio.most * most.decode if most.decode else 0.0  # may be without bound
    inside = Counts(int(min(most.prefill, allowed + 1e-9)), most.decode)
    if ratio.least > 0:
        inside = Counts(inside.prefill, min(most.decode, int(inside.prefill / ratio.least + 1e-9)))
    return inside if ratio.allows(inside) else now_of(evidence)


def _no_higher_on_a_fallback(evidence: PairEvidence, wanted: Counts) -> Counts:
    """Both pools or none, so that the pair stays within its ratio."""
    forecast, now = evidence.prefill.forecast, now_of(evidence)
    if forecast is None or not forecast.flagged or not settled(evidence.prefill):
        return wanted
    needed = Counts(needed_now(evidence.prefill), needed_now(evidence.decode))
    enough = needed.prefill <= now.prefill and needed.decode <= now.decode
    raises = wanted.prefill > now.prefill or wanted.decode > now.decode
    return now if enough and raises and evidence.ratio.allows(now) else wanted


def now_of(evidence: PairEvidence) -> Counts:
    return Counts(evidence.prefill.pool.desired, evidence.decode.pool.desired)


def _reason(evidence: PairEvidence, counts: Counts, probability: float, *, held: bool) -> Reason:
    now, accepted = now_of(evidence), evidence.prefill.objective.max_violation_probability
    told = (
        f"{counts.prefill} prefill and {counts.decode} decode replicas: "
        f"P(TTFT or TPOT breaks) is {probability:.3f}; accepted {accepted:g}"
    )
    if not held:
        return Reason(ReasonCode.AT_MAXIMUM, f"no pair within the limits keeps the risk; {told}")
    if counts == now:
        return Reason(ReasonCode.STEADY, told)
    rises = counts.prefill > now.prefill or counts.decode > now.decode
    return Reason(ReasonCode.DEMAND_RISES if rises else ReasonCode.DEMAND_FALLS, told)
