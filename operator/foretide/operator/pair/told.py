"""What the status says of two pools, where it says one thing of one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from foretide.policies.flow import Act, Decision
from foretide.policies.pair.setting import PairProposal

if TYPE_CHECKING:
    from foretide.operator.status import Condition

TROUBLE_WHEN_TRUE = ("Conflict",)


def of_both(prefill: Sequence["Condition"], decode: Sequence["Condition"]) -> list["Condition"]:
    """One condition of each type: the troubled pool's, or the first one's with what both say."""
    others = {condition.type: condition for condition in decode}
    return [_of_both(one, others[one.type]) if one.type in others else one for one in prefill]


def first_to_act(decisions: Iterable[Decision]) -> Decision:
    """The decision whose reason is told: the first that changes something, else the first."""
    listed = list(decisions)
    return next((one for one in listed if isinstance(one.verdict, Act)), listed[0])


def of_the_pair(
    told: Mapping[str, Any], other: Mapping[str, Any], proposal: PairProposal | None, *, reason: str
) -> dict[str, Any]:
    """`status.lastDecision` of both pools from that of each; the probability is that either promise breaks."""
    both: dict[str, Any] = dict(told) | {
        "reason": reason,
        "leadTime": max((told["leadTime"], other["leadTime"]), key=lambda text: float(text.removesuffix("s"))),
        "capacity": f"prefill: {told['capacity']}; decode: {other['capacity']}",
    }
    if proposal is not None:
        both["binding"] = "ttft or tpot"
        both["violationProbability"] = {"atDesired": f"{proposal.probability:.4f}"}
    return both


def _of_both(one: "Condition", other: "Condition") -> "Condition":
    if _is_trouble(other) and not _is_trouble(one):
        return other
    if _is_trouble(one) != _is_trouble(other) or one.message == other.message:
        return one
    return replace(one, message="; ".join(filter(None, (one.message, other.message))))


def _is_trouble(condition: "Condition") -> bool:
    return condition.holds is (condition.type in TROUBLE_WHEN_TRUE)
