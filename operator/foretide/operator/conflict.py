"""Who else writes the same replicas. Two writers fight; we are the one that steps back and says so."""

from collections.abc import Iterable

from foretide.operator.resource import Resource
from foretide.operator.seams import Body, TargetRef


def conflict(resource: Resource, *, rivals: Iterable[Body], others: Iterable[Resource]) -> str:
    """Another writer of this target's replicas, in words; empty when we are the only one.

    `rivals` are HPAs and ScaledObjects of the namespace, `others` all accepted InferenceAutoscalers. Of two of ours on
    one target the older one acts; at equal age the one whose name comes first.
    """
    for rival in rivals:
        if _scales(rival, resource.pool.target):
            kind, name = rival.get("kind") or "HorizontalPodAutoscaler", rival["metadata"]["name"]
            return f"{kind} {name} scales {resource.pool.target} too; delete one of the two"
    for other in others:
        if other.key != resource.key and _same_target(other, resource) and _rank(other) < _rank(resource):
            return f"InferenceAutoscaler {other.key.name} is older and scales {resource.pool.target} too; delete one"
    return ""


def _scales(rival: Body, target: TargetRef) -> bool:
    spec = rival.get("spec") or {}
    ref = spec.get("scaleTargetRef") or {}
    # A ScaledObject may leave both out; its default is a Deployment of apps/v1.
    group = str(ref.get("apiVersion") or "apps/v1").partition("/")[0]
    same_kind = (ref.get("kind") or "Deployment") == target.kind
    return same_kind and ref.get("name") == target.name and group == target.api_version.partition("/")[0]


def _same_target(one: Resource, other: Resource) -> bool:
    return one.key.namespace == other.key.namespace and one.pool.target == other.pool.target


def _rank(resource: Resource) -> tuple[float, str]:
    return resource.created, resource.key.name
