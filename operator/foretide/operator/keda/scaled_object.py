"""The ScaledObject that lets KEDA carry out what Foretide decides for one resource. Pure: a manifest out.

The guardrails have slowed the count down already, so KEDA's HPA is told to follow it at once. Its tolerance stays: HPA
leaves a count alone that is off by a tenth or less, which from ten replicas on is a whole one.
"""

from collections.abc import Mapping
from typing import Any

from foretide.operator.conflict import SCALED_OBJECT
from foretide.operator.keda.metadata import AUTOSCALER, POOL
from foretide.operator.resource import Resource
from foretide.operator.seams import Body

POLLING_S, COOLDOWN_S, HPA_S = 15, 300, 15
FAILURES = 3
"""Consecutive errors before KEDA falls back; an operator that stalls has been patient itself before the first."""
KEEPS_THE_HIGHER = (2, 17)
"""Since this version of KEDA a fallback can leave alone what is higher, and waits for its threshold."""
OLDEST = (2, 13)


def scaled_object(
    resource: Resource, *, address: str, fallback: int | None, version: tuple[int, int] = KEEPS_THE_HIGHER
) -> dict[str, Any]:
    """The manifest for KEDA of that version.

    `fallback` is left out where it is None, and for a KEDA that writes it at the first error, over whatever runs.
    """
    pool = resource.pool
    spec: dict[str, Any] = {
        "scaleTargetRef": {
            "apiVersion": pool.target.api_version,
            "kind": pool.target.kind,
            "name": pool.target.name,
        },
        "pollingInterval": POLLING_S,
        "cooldownPeriod": COOLDOWN_S,
        "minReplicaCount": pool.min_replicas,
        "maxReplicaCount": pool.max_replicas,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _at_once(pool.max_replicas)}},
        "triggers": [_trigger(resource, address)],
    }
    if fallback is not None and version >= KEEPS_THE_HIGHER:
        spec["fallback"] = {
            "failureThreshold": FAILURES,
            "replicas": fallback,
            "behavior": "currentReplicasIfHigher",
        }
    meta = {"name": resource.key.name, "namespace": resource.key.namespace}
    return {"apiVersion": "keda.sh/v1alpha1", "kind": SCALED_OBJECT, "metadata": meta, "spec": spec}


def last_safe_count(resource: Resource, status: Body) -> int:
    """What to run while nobody decides: the larger of the counts last found and decided, else the most there may be."""
    told: Mapping[str, Any] = next(iter(status.get("pools") or ()), {})
    known = [count for name in ("current", "desired") if isinstance(count := told.get(name), int)]
    pool = resource.pool
    return max(1, min(max(known), pool.max_replicas), pool.min_replicas) if known else pool.max_replicas


def _trigger(resource: Resource, address: str) -> dict[str, Any]:
    return {
        "type": "external-push",
        # HPA multiplies a Value by the pods that are ready: the fleet would run away.
        "metricType": "AverageValue",
        "metadata": {"scalerAddress": address, AUTOSCALER: resource.key.name, POOL: resource.pool.name},
    }


def _at_once(most: int) -> dict[str, Any]:
    up = {"type": "Pods", "value": most, "periodSeconds": HPA_S}
    down = {"type": "Percent", "value": 100, "periodSeconds": HPA_S}
    return {
        "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [up]},
        "scaleDown": {"stabilizationWindowSeconds": 0, "policies": [down]},
    }
