"""Whether a replica may be put to sleep, or is to be woken: a nap takes capacity away and is bound by the same promises
as the last replica's end.

What is NOT promised: a nap of several replicas. Only the last one sleeps; more than one go by the count first.
"""

from foretide.policies.declared import SLEEPING, Mode
from foretide.policies.flow import Act, Evidence, Order, Proposal, Trust, Verdict
from foretide.policies.guardrails import (
    hold_if_paused,
    hold_on_conflict,
    never_lower_blind,
    never_lower_in_first_life,
    never_to_zero_in_use,
    only_raise,
)
from foretide.policies.warm.ladder import READY

PROMISES = (
    hold_if_paused,
    hold_on_conflict,
    never_lower_blind,
    never_lower_in_first_life,
    never_to_zero_in_use,
    only_raise,
)


def tier_of(evidence: Evidence, proposal: Proposal) -> str:
    """The tier to bring the target to after a plan; empty where it is to stay as it is."""
    if not proposal.tier or not _may_act(evidence):
        return ""
    if proposal.tier != SLEEPING:
        return proposal.tier if proposal.tier == READY or evidence.pool.desired == 0 else ""
    return SLEEPING if evidence.pool.desired == 1 and _may_sleep(evidence, proposal) else ""


def wakes(evidence: Evidence) -> bool:
    """Whether requests are there for which a sleeper is to be woken now."""
    backlog, pool = evidence.backlog, evidence.pool
    if backlog is None or backlog.trust not in (Trust.FRESH, Trust.PARTIAL) or not _may_act(evidence):
        return False
    return bool(pool.asleep and not pool.ready and (backlog.waiting or backlog.running))


def _may_act(evidence: Evidence) -> bool:
    return evidence.mode in (Mode.AUTO, Mode.RAISE_ONLY) and not evidence.pool.conflict


def _may_sleep(evidence: Evidence, proposal: Proposal) -> bool:
    pool = evidence.pool
    verdict: Verdict = Act(Order(pool.name, pool.desired, 0, pool.version), (proposal.reason,))
    for promise in PROMISES:
        verdict = promise(evidence, verdict)
    return isinstance(verdict, Act)
