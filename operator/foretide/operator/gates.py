"""The readiness gate that keeps a sleeping engine's pod out of its Service's endpoints, and the nap that it tells of.

    no condition -> Awake -> Drowsy -> Asleep -> Waking -> Awake
                                               -> Lost          (did not wake; serves nobody any more)

A pod whose template names the gate is not ready before somebody sets the condition to True: with the operator gone,
pods that start stay out of the endpoints. That is the price of a gate, and why only who wants naps writes one.
"""

from enum import StrEnum
from typing import Any

from foretide.operator.seams import Body

AWAKE = "autoscaling.foretide.io/awake"
"""The condition type, in the pod's status and in `readinessGates` of its template."""


class Nap(StrEnum):
    """The reason of the condition."""

    NONE = ""
    """Nobody has set it yet."""
    AWAKE = "Awake"
    DROWSY = "Drowsy"
    """Out of the endpoints, and not asleep yet."""
    ASLEEP = "Asleep"
    WAKING = "Waking"
    LOST = "Lost"


SLEEPERS = (Nap.DROWSY, Nap.ASLEEP, Nap.WAKING)


def is_gated(pod: Body) -> bool:
    """Whether the pod's template names the gate."""
    gates = (pod.get("spec") or {}).get("readinessGates") or []
    return any(isinstance(gate, dict) and gate.get("conditionType") == AWAKE for gate in gates)


def nap_of(conditions: dict[Any, Any]) -> Nap:
    """By condition type; what somebody else wrote there counts as nothing."""
    reason = str((conditions.get(AWAKE) or {}).get("reason") or "")
    return Nap(reason) if reason in list(Nap) else Nap.NONE


def condition(nap: Nap, *, time: str, message: str = "") -> dict[str, str]:
    """The condition to write."""
    status = "True" if nap is Nap.AWAKE else "False"
    return {"type": AWAKE, "status": status, "reason": nap.value, "message": message, "lastTransitionTime": time}
