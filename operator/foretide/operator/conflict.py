"""Who else writes the same replicas. Two writers fight; we are the one that steps back and says so.

Under `actuation: keda` we write none: the ScaledObject that asks us, and the HPA that KEDA makes of it, are the writer.
"""

from collections.abc import Iterable

from foretide.operator.keda.metadata import AUTOSCALER
from foretide.operator.resource import BY_KEDA, Resource
from foretide.operator.seams import Body, TargetRef

SCALED_OBJECT, EXTERNAL = "ScaledObject", ("external", "external-push")


def conflict(resource: Resource, *, rivals: Iterable[Body], others: Iterable[Resource]) -> str:
    """Another writer of this target's replicas, in words; empty when we are the only one.

    `rivals` are HPAs and ScaledObjects of the namespace, `others` all accepted InferenceAutoscalers. Of two of ours on
    one target the older one acts; at equal age the one whose name comes first.
    """
    listed = tuple(rivals)
    ours = asking(resource, listed)
    by_keda = resource.actuation == BY_KEDA
    for rival in listed:
        if _scales(rival, resource.pool.target) and not (by_keda and _is_or_serves(rival, ours)):
            if rival["metadata"]["name"] == ours and not by_keda:
                return f"ScaledObject {ours} asks us and scales {resource.pool.target}; set `actuation: keda`"
            if by_keda and rival.get("kind") == SCALED_OBJECT and not ours:
                return _unasking(rival, resource)
            kind, name = rival.get("kind") or "HorizontalPodAutoscaler", rival["metadata"]["name"]
            return f"{kind} {name} scales {resource.pool.target} too; delete one of the two"
    for other in others:
        if other.key != resource.key and _same_target(other, resource) and _rank(other) < _rank(resource):
            return f"InferenceAutoscaler {other.key.name} is older and scales {resource.pool.target} too; delete one"
    return ""


def asking(resource: Resource, rivals: Iterable[Body]) -> str:
    """The name of the ScaledObject that scales this target and asks us about it; empty where there is none."""
    found = asking_object(resource, rivals)
    return str(found["metadata"]["name"]) if found is not None else ""


def asking_object(resource: Resource, rivals: Iterable[Body]) -> Body | None:
    """That ScaledObject itself."""
    for rival in rivals:
        if rival.get("kind") == SCALED_OBJECT and _scales(rival, resource.pool.target) and _asks(rival, resource):
            return rival
    return None


def _unasking(scaled_object: Body, resource: Resource) -> str:
    """KEDA is to write, and its ScaledObject is there, with other triggers than ours."""
    name = scaled_object["metadata"]["name"]
    told = (
        f"ScaledObject {name} scales {resource.pool.target}, and no external trigger of it asks for {resource.key.name}"
    )
    return f"{told}; apply what `foretide keda {resource.key}` prints, or delete one of the two"


def _asks(scaled_object: Body, resource: Resource) -> bool:
    for trigger in (scaled_object.get("spec") or {}).get("triggers") or ():
        named = (trigger.get("metadata") or {}).get(AUTOSCALER)
        if trigger.get("type") in EXTERNAL and named == resource.key.name:
            return True
    return False


def _is_or_serves(rival: Body, scaled_object: str) -> bool:
    """Whether a rival is that ScaledObject, or the HPA that KEDA made of it."""
    if not scaled_object:
        return False
    meta = rival["metadata"]
    if rival.get("kind") == SCALED_OBJECT:
        return bool(meta["name"] == scaled_object)
    owners = ((owner.get("kind"), owner.get("name")) for owner in meta.get("ownerReferences") or ())
    return (SCALED_OBJECT, scaled_object) in owners


def _scales(rival: Body, target: TargetRef) -> bool:
    spec = rival.get("spec") or {}
    ref = spec.get("scaleTargetRef") or {}
    # A ScaledObject may leave both out; its default is a Deployment of apps/v1.
    group = str(ref.get("apiVersion") or "apps/v1").partition("/")[0]
    same_kind = (ref.get("kind") or "Deployment") == target.kind
    return same_kind and ref.get("name") == target.name and group == target.api_version.partition("/")[0]


def _same_target(one: Resource, other: Resource) -> bool:
    """Whether any pool of `one` has the target of `other`'s first."""
    targets = [pool.target for pool in one.pools]
    return one.key.namespace == other.key.namespace and other.pool.target in targets


def _rank(resource: Resource) -> tuple[float, str]:
    return resource.created, resource.key.name
