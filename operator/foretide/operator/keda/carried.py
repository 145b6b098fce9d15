"""Whether KEDA can carry out what it is told: its ScaledObject is well, and its HPA has our metric and reads it.

KEDA may be asked and answered and still move nothing: it was paused, it refused the ScaledObject, somebody changed the
HPA, or the HPA cannot read what KEDA serves. Judged by what the two objects say, which the sweep lists anyhow.

What is NOT promised: a reason for each cause; the HPA's own words are passed on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foretide.operator.keda.metadata import METRIC
from foretide.operator.seams import Body

PAUSED, PAUSED_AT = "autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"
OWNER = "ScaledObject"


@dataclass(frozen=True, slots=True)
class Uncarried:
    """Why KEDA carries nothing out: a reason for the condition AbleToScale, and what to do about it."""

    reason: str
    message: str


def uncarried(scaled_object: Body, rivals: Iterable[Body]) -> Uncarried | None:
    """What keeps KEDA from following us; None where nothing is known to. `rivals` hold its HPA, if there is one."""
    name = str(scaled_object["metadata"]["name"])
    paused = _paused(scaled_object)
    if paused:
        return Uncarried("KedaPaused", f"ScaledObject {name} is paused by {paused}; remove that annotation")
    refused = _condition(scaled_object, "Ready")
    if refused.get("status") == "False":
        told = _words(refused) or "gives no reason"
        return Uncarried(
            "KedaNotReady", f"KEDA does not serve ScaledObject {name}: {told}; see the log of KEDA's operator"
        )
    hpa = next((rival for rival in rivals if _made_of(rival, name)), None)
    return _unread(hpa, name) if hpa is not None else None


def _unread(hpa: Body, scaled_object: str) -> Uncarried | None:
    name = hpa["metadata"]["name"]
    if not any(_is_ours(metric) for metric in _list(hpa.get("spec"), "metrics")):
        fix = f"restore the trigger in ScaledObject {scaled_object}; KEDA then writes its HPA anew"
        return Uncarried(
            "MetricMissing", f"HorizontalPodAutoscaler {name} has no metric {METRIC}, which is ours; {fix}"
        )
    active = _condition(hpa, "ScalingActive")
    if active.get("status") == "False" and active.get("reason") == "FailedGetExternalMetric":
        fix = "check that KEDA's operator and metrics adapter run, and that they reach the trigger's scalerAddress"
        return Uncarried(
            "MetricUnread", f"HorizontalPodAutoscaler {name} cannot read our metric: {_words(active)}; {fix}"
        )
    return None


def _paused(scaled_object: Body) -> str:
    """The annotation that pauses it; empty where none does."""
    found = scaled_object["metadata"].get("annotations") or {}
    if PAUSED_AT in found:
        return PAUSED_AT
    return PAUSED if str(found.get(PAUSED, "false")).lower() != "false" else ""


def _made_of(rival: Body, scaled_object: str) -> bool:
    owners = rival["metadata"].get("ownerReferences") or ()
    return any((owner.get("kind"), owner.get("name")) == (OWNER, scaled_object) for owner in owners)


def _is_ours(metric: Mapping[str, Any]) -> bool:
    """KEDA puts the trigger's place before the name: s0-desired-replicas."""
    name = str(((metric.get("external") or {}).get("metric") or {}).get("name") or "")
    return name == METRIC or name.endswith(f"-{METRIC}")


def _condition(body: Body, kind: str) -> Mapping[str, Any]:
    found = _list(body.get("status"), "conditions")
    return next((condition for condition in found if condition.get("type") == kind), {})


def _words(condition: Mapping[str, Any]) -> str:
    return str(condition.get("message") or condition.get("reason") or "")[:200]


def _list(part: Any, name: str) -> Sequence[Mapping[str, Any]]:
    """Of a part that may be missing, or hold null."""
    return (part or {}).get(name) or ()
