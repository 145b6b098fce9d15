"""Evidence of two pools in, one order per pool out: proposed together, ordered, then guarded each by its own promises.

The guardrails are those of one pool. Where one of them holds a pool back, the other may still rise, and falls only as
`order.py` lets it.

What is NOT promised: that both orders are carried out. Whichever is, the pair has capacity before it loses any. The
fast pass for a live backlog is that of one pool, on each pool's own evidence.
"""

from collections.abc import Callable
from dataclasses import replace

from foretide.policies.decide import guard
from foretide.policies.flow import Act, Decision, Evidence, Hold, Order, Reason, ReasonCode, Verdict
from foretide.policies.guardrails import only_recommend, shrink
from foretide.policies.memory import remember_recommendation
from foretide.policies.pair.order import next_counts, together
from foretide.policies.pair.propose import now_of, propose_pair
from foretide.policies.pair.setting import Counts, PairDecision, PairEvidence, PairProposal
from foretide.policies.regret import REMEMBERED

Propose = Callable[[PairEvidence], PairProposal | None]


def plan_pair(evidence: PairEvidence, *, propose: Propose = propose_pair) -> PairDecision:
    """Both pools for the planning horizon; two holds where nothing could be proposed.

    Another way to `propose` is ordered and guarded as ours is: benchmarks compare by it.
    """
    told = _infeasible(evidence)
    if told:
        return _held(evidence, Reason(ReasonCode.INFEASIBLE, told))
    proposal = propose(evidence)
    if proposal is None:
        return _held(evidence, Reason(ReasonCode.NO_FORECAST, "there is no forecast"))
    return _decided(_remembered(evidence, proposal.counts), proposal)


def _decided(evidence: PairEvidence, proposal: PairProposal) -> PairDecision:
    before = now_of(evidence)
    ready = Counts(evidence.prefill.pool.ready, evidence.decode.pool.ready)
    step = next_counts(before, proposal.counts, ready=ready, ratio=evidence.ratio)
    prefill = guard(evidence.prefill, _ordered(evidence.prefill, step.prefill, proposal.reason))
    decode = guard(evidence.decode, _ordered(evidence.decode, step.decode, proposal.reason))
    after = Counts(_count(prefill), _count(decode))
    safe = _kept_whole(evidence, before, after)
    return PairDecision(
        _decision(evidence.prefill, _limited(evidence.prefill, prefill, safe.prefill)),
        _decision(evidence.decode, _limited(evidence.decode, decode, safe.decode)),
        proposal,
    )


def _kept_whole(evidence: PairEvidence, before: Counts, after: Counts) -> Counts:
    """What the guardrails let through, as far as no pool is then alone, out of ratio or out of order."""
    ratio = evidence.ratio
    safe = together(before, after)
    falls = (safe.prefill < before.prefill, safe.decode < before.decode)
    if all(falls) and safe != Counts(0, 0):  # both were on their way to zero, and something slows them down
        alone = (Counts(safe.prefill, before.decode), Counts(before.prefill, safe.decode))
        safe = next((counts for counts in alone if ratio.allows(counts)), safe)
    return before if any(falls) and ratio.allows(before) and not ratio.allows(safe) else safe


def _limited(evidence: Evidence, verdict: Verdict, count: int) -> Verdict:
    if not isinstance(verdict, Act) or verdict.order.after == count:
        return verdict
    return shrink(evidence, verdict, count, Reason(ReasonCode.PAIR_ORDER, "the other pool could not follow"))


def _ordered(evidence: Evidence, count: int, reason: Reason) -> Verdict:
    pool = evidence.pool
    if count == pool.desired:
        return Hold(pool.desired, (reason,))
    return Act(Order(pool.name, pool.desired, count, pool.version), (reason,))


def _count(verdict: Verdict) -> int:
    return verdict.order.after if isinstance(verdict, Act) else verdict.replicas


def _decision(evidence: Evidence, verdict: Verdict) -> Decision:
    return Decision(evidence.now, only_recommend(evidence, verdict), None, _count(verdict), evidence.memory)


def _remembered(evidence: PairEvidence, counts: Counts) -> PairEvidence:
    """Stabilisation windows are over what was wanted, not over what the order of pools let through."""
    return replace(
        evidence,
        prefill=_with(evidence.prefill, counts.prefill),
        decode=_with(evidence.decode, counts.decode),
    )


def _with(evidence: Evidence, replicas: int) -> Evidence:
    memory = remember_recommendation(
        evidence.memory,
        at=evidence.now,
        replicas=replicas,
        behavior=evidence.behavior,
        events_s=REMEMBERED * evidence.rhythm.regret_s,
    )
    return replace(evidence, memory=memory)


def _held(evidence: PairEvidence, reason: Reason) -> PairDecision:
    pools = (evidence.prefill, evidence.decode)
    prefill, decode = (_decision(one, guard(one, Hold(one.pool.desired, (reason,)))) for one in pools)
    return PairDecision(prefill, decode, None)


def _infeasible(evidence: PairEvidence) -> str:
    for role, one in (("prefill", evidence.prefill), ("decode", evidence.decode)):
        if one.service.capacity.total(1) <= 0:
            return f"no load is light enough for the {role} pool on this hardware; loosen its objective"
    return ""
