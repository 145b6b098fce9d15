"""What no single target can see: everything falling at once is the signature of a blind metric source.

Holds all that would go down in one sweep when too many would, or when total demand drops by half between two sweeps.
"""

from collections.abc import Mapping
from dataclasses import replace

from foretide.policies.flow import Act, Decision, Hold, Reason, ReasonCode
from foretide.policies.guardrails import is_lowering

LOWERED_SHARE = 0.3
DEMAND_DROP = 0.5
FEWEST_TARGETS = 5
"""With fewer targets than this, one of them falling alone would already be a large share."""


def global_hold(decisions: Mapping[str, Decision], *, demand: float | None, demand_before: float | None) -> str:
    """Why everything holds, in words; empty when it need not. Demands are sums over all targets, requests/s."""
    if len(decisions) < FEWEST_TARGETS:
        return ""
    lowering = sum(1 for decision in decisions.values() if is_lowering(decision.verdict))
    if lowering > LOWERED_SHARE * len(decisions):
        return f"{lowering} of {len(decisions)} targets would go down in one sweep"
    if demand is not None and demand_before and demand < DEMAND_DROP * demand_before and lowering:
        return f"total demand fell from {demand_before:.1f} to {demand:.1f} requests/s between two sweeps"
    return ""


def held(decision: Decision, why: str) -> Decision:
    """The decision without its lowering; one that does not lower stays as it is."""
    verdict = decision.verdict
    if not isinstance(verdict, Act) or not is_lowering(verdict):
        return decision
    reason = Reason(ReasonCode.GLOBAL_HOLD, why)
    before = verdict.order.before
    return replace(decision, verdict=Hold(before, (reason, *verdict.reasons)), desired=before)
