"""Evidence in, decision out: a proposal, then each guardrail in turn. This is the file to read first.

`plan` may raise and lower; `relieve`, the fast pass, only ever adds. Both are pure: the same evidence gives the same
decision, which is what makes a journal replayable.

What is NOT promised: that an order is carried out. The actuator refuses when the world has moved on meanwhile.
"""

from dataclasses import replace

from foretide.policies.approval import answered, offered, only_approved
from foretide.policies.flow import (
    Act,
    Decision,
    Evidence,
    Hold,
    Memory,
    Mode,
    Order,
    Proposal,
    Reason,
    ReasonCode,
    Verdict,
)
from foretide.policies.guardrails import PLAN, blindness, only_recommend
from foretide.policies.memory import remember_recommendation
from foretide.policies.propose import propose
from foretide.policies.regret import REMEMBERED
from foretide.policies.relief import relief_count
from foretide.policies.warm.ladder import READY
from foretide.policies.warm.nap import tier_of, wakes


def plan(evidence: Evidence) -> Decision:
    """The count for the planning horizon, guarded; a hold where nothing could be proposed."""
    if evidence.service.capacity.total(1) <= 0:
        return _told(evidence, _unproposed(evidence, ReasonCode.INFEASIBLE, _infeasible(evidence)))
    proposal = propose(evidence)
    if proposal is None:
        return _without_forecast(evidence)
    memory = remember_recommendation(
        evidence.memory,
        at=evidence.now,
        replicas=proposal.replicas,
        behavior=evidence.behavior,
        events_s=REMEMBERED * evidence.rhythm.regret_s,
    )
    verdict = _ordered(evidence, _towards(evidence, proposal), proposal.reason)
    decided = _decided(replace(evidence, memory=memory), verdict, proposal, memory)
    return replace(decided, tier=tier_of(evidence, proposal))


def relieve(evidence: Evidence) -> Decision:
    """More replicas for what already waits in the engines, or a hold. Never fewer, and none where each is approved."""
    if evidence.mode is Mode.APPROVE:
        return _unproposed(evidence, ReasonCode.AWAITS_APPROVAL, "the fast pass never asks for approval")
    wanted, text = relief_count(evidence)
    if wanted <= evidence.pool.desired:
        if wakes(evidence):
            return replace(_unproposed(evidence, ReasonCode.WOKEN, text), tier=READY)
        return _unproposed(evidence, ReasonCode.STEADY, text)
    verdict = _ordered(evidence, wanted, Reason(ReasonCode.BACKLOG, text))
    return _decided(evidence, verdict, None, evidence.memory)


def guard(evidence: Evidence, verdict: Verdict) -> Verdict:
    """The verdict after every promise had its say."""
    for guardrail in PLAN:
        verdict = guardrail(evidence, verdict)
    return verdict


def _towards(evidence: Evidence, proposal: Proposal) -> int:
    """From outside the limits first back to the nearer one, as HPA does; what lies beyond is a later decision."""
    pool = evidence.pool
    if pool.desired > pool.max_replicas:
        return pool.max_replicas
    return pool.min_replicas if pool.desired < pool.min_replicas else proposal.replicas


def _decided(evidence: Evidence, verdict: Verdict, proposal: Proposal | None, memory: Memory) -> Decision:
    guarded = guard(evidence, verdict)
    told = only_approved(evidence, only_recommend(evidence, guarded))
    stands = told if isinstance(told, Act) else guarded
    desired = stands.order.after if isinstance(stands, Act) else stands.replicas
    remembered = answered(evidence, memory, told)
    return Decision(evidence.now, told, proposal, desired, remembered, offered(evidence, guarded))


def _ordered(evidence: Evidence, replicas: int, reason: Reason) -> Verdict:
    pool = evidence.pool
    if replicas == pool.desired:
        return Hold(pool.desired, (reason,))
    return Act(Order(pool.name, pool.desired, replicas, pool.version), (reason,))


def _without_forecast(evidence: Evidence) -> Decision:
    """Nothing is known, so nothing changes, except that fewer than minReplicas is never right."""
    pool = evidence.pool
    if pool.desired < pool.min_replicas:
        reason = Reason(ReasonCode.WITHIN_BOUNDS, f"{pool.desired} is below minReplicas {pool.min_replicas}")
        return _decided(evidence, _ordered(evidence, pool.min_replicas, reason), None, evidence.memory)
    blind = blindness(evidence)
    code = ReasonCode.BLIND if blind and blind != "there is no forecast" else ReasonCode.NO_FORECAST
    return _told(evidence, _unproposed(evidence, code, blind or "there is no forecast"))


def _told(evidence: Evidence, decision: Decision) -> Decision:
    """The decision with an answer to an approval, should one have come."""
    told = only_approved(evidence, decision.verdict)
    return replace(decision, verdict=told, memory=answered(evidence, decision.memory, told))


def _unproposed(evidence: Evidence, code: ReasonCode, text: str) -> Decision:
    held = Hold(evidence.pool.desired, (Reason(code, text),))
    return Decision(evidence.now, _silenced(evidence, held), None, evidence.pool.desired, evidence.memory)


def _silenced(evidence: Evidence, held: Hold) -> Verdict:
    """Paused and conflict are told first, whatever else is the matter."""
    verdict: Verdict = held
    for guardrail in PLAN[:2]:
        verdict = guardrail(evidence, verdict)
    return verdict


def _infeasible(evidence: Evidence) -> str:
    binding = evidence.service.capacity.binding_at(1)
    target = evidence.objective.declared().get(binding)
    threshold = f" p{target.percentile:g} within {target.threshold_s:g} s" if target else ""
    return f"no load is light enough for {binding}{threshold} on this hardware; loosen it or change the accelerator"
