"""Mode Approve: a count waits for a person's word, and that word is checked against what is known when it is acted on.

A recommendation is published with an id. An approval names a count and that id. It holds until the recommendation
expires, for any count on the way to what is recommended by then; everything else is refused, with the reason.

What is NOT promised: relief in time. Nothing is raised without approval either; mode RaiseOnly is for that.
"""

from dataclasses import replace
from zlib import crc32

from foretide.policies.flow import Act, Approval, Evidence, Memory, Mode, Order, Pending, Reason, ReasonCode, Verdict
from foretide.policies.guardrails import hold

LIFETIME_S = 900.0
"""So long a recommendation may be approved; then it is made anew."""


def only_approved(evidence: Evidence, verdict: Verdict) -> Verdict:
    """In mode Approve an action becomes the approved one, or waits; an approval that does not hold is refused."""
    if evidence.mode is not Mode.APPROVE:
        return verdict
    approval = unanswered(evidence)
    why = refusal(evidence, verdict, approval) if approval is not None else ""
    if not isinstance(verdict, Act):
        return replace(verdict, reasons=(*verdict.reasons, *_refused(why)))
    if approval is None or why:
        order = verdict.order
        text = f"would scale {order.before} -> {order.after}; mode is Approve"
        held = hold(evidence, ReasonCode.AWAITS_APPROVAL, text, verdict)
        return replace(held, reasons=(*held.reasons, *_refused(why)))
    approved = Reason(ReasonCode.APPROVED, f"approved as {approval.written}")
    return Act(replace(verdict.order, after=approval.replicas), (*verdict.reasons, approved))


def offered(evidence: Evidence, verdict: Verdict) -> Pending | None:
    """What is to be published for approval: the standing recommendation while it still holds, else a new one."""
    if evidence.mode is not Mode.APPROVE or not isinstance(verdict, Act):
        return None
    order = verdict.order
    if evidence.pending is not None and not _lapsed(evidence, evidence.pending, order):
        return evidence.pending
    name = crc32(f"{order.pool} {order.version} {order.before} {order.after} {evidence.now!r}".encode())
    return Pending(f"{name:08x}", order.before, order.after, evidence.now + LIFETIME_S)


def answered(evidence: Evidence, memory: Memory, verdict: Verdict) -> Memory:
    """The memory after a verdict: an approval is refused once, whatever it would be worth later."""
    refused = any(reason.code is ReasonCode.APPROVAL_REFUSED for reason in verdict.reasons)
    return remember_answer(memory, evidence.approval) if refused else memory


def remember_answer(memory: Memory, approval: Approval | None) -> Memory:
    """To be called for an approval that was refused, or whose write has succeeded: it is never looked at again."""
    return memory if approval is None else replace(memory, answered=approval.written)


def unanswered(evidence: Evidence) -> Approval | None:
    approval = evidence.approval
    return approval if approval is not None and approval.written != evidence.memory.answered else None


def refusal(evidence: Evidence, verdict: Verdict, approval: Approval) -> str:
    """Why an approval does not hold, in words; empty where it does."""
    why = _mistaken(evidence.pending, approval) or _outdated(evidence, verdict, approval)
    return f"{approval.written}: {why}" if why else ""


def _mistaken(pending: Pending | None, approval: Approval) -> str:
    """Why an approval is not of the published recommendation."""
    if approval.replicas < 0:
        return "write the count and the id of the recommendation, like 5@1f0c9a3e"
    if pending is None:
        return "nothing waits for approval"
    return "" if approval.id == pending.id else f"what waits is {pending.after}@{pending.id}"


def _outdated(evidence: Evidence, verdict: Verdict, approval: Approval) -> str:
    """Why what is known by now does not bear an approval out."""
    if evidence.pending is None or not isinstance(verdict, Act):
        return f"no longer recommended: {verdict.reasons[0].text}"
    order = verdict.order
    if why := _lapsed(evidence, evidence.pending, order):
        return why
    return "" if _reaches(order, approval.replicas) else f"not on the way from {order.before} to {order.after}"


def _lapsed(evidence: Evidence, pending: Pending, order: Order) -> str:
    """Why a published recommendation does not stand any more, in words; empty while it does."""
    if not evidence.now < pending.expires <= evidence.now + LIFETIME_S:
        return "the recommendation has expired"
    if pending.before != order.before:
        return f"it was made for {pending.before} replicas, now there are {order.before}"
    if not _reaches(order, pending.after):
        return f"no longer recommended: by now it is {order.before} -> {order.after}"
    return ""


def _reaches(order: Order, replicas: int) -> bool:
    """Whether this count is on the way of the order, its end included."""
    if order.after > order.before:
        return order.before < replicas <= order.after
    return order.after <= replicas < order.before


def _refused(why: str) -> tuple[Reason, ...]:
    return (Reason(ReasonCode.APPROVAL_REFUSED, f"approval refused: {why}"),) if why else ()
