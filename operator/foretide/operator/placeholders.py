"""Holds a node for a target at zero: a Deployment of low-priority pods is scaled up while nobody asks, and down again
once the target has replicas, which the scheduler has by then put in their place.

A Deployment is named by whoever writes the resource, so that a wrong name must do no harm: where its pods could not be
placeholders nothing is written but what takes back our own write.

What is NOT promised: one pool of nodes for many targets. Each target holds its own, as many as the Deployment's owner
let it hold: one.
"""

from dataclasses import dataclass, replace

from foretide.operator.naps import BARRED_S, Trouble
from foretide.operator.seams import Body, Cluster, ClusterError, TargetRef
from foretide.policies.declared import PLACEHOLDER
from foretide.policies.warm.ladder import READY, ZERO

HELD = 1


@dataclass(frozen=True, slots=True)
class Held:
    """Placeholder pods that have a node, and what is wrong with the tier."""

    nodes: int = 0
    trouble: Trouble | None = None
    ours: bool = False
    """Whether this life of the operator has raised the count."""
    until: float = float("-inf")
    """Up to when the trouble with pods that are gone by now stands for the next ones."""


async def settle(
    cluster: Cluster, before: Held, *, namespace: str, deployment: str, priority_class: str, tier: str, now: float
) -> Held:
    """One step towards `tier`; an empty one leaves the count. Never raises."""
    ref = TargetRef("apps/v1", "Deployment", deployment)
    try:
        scale = await cluster.scale(namespace, ref)
        pods = await cluster.pods(namespace, scale.selector) if scale.replicas and scale.selector else ()
        trouble = _too_many(deployment, scale.replicas) or _too_high(pods, priority_class)
        wanted = {PLACEHOLDER: HELD, ZERO: 0, READY: 0}.get(tier, scale.replicas)
        if trouble is not None:
            wanted = 0 if before.ours else scale.replicas
        if wanted != scale.replicas:
            await cluster.write_scale(namespace, ref, replicas=wanted, version=scale.version)
    except ClusterError as error:
        fix = "create it with replicas: 0, or drop the tier"
        missing = f"warm.tiers placeholder: Deployment {deployment}: {str(error)[:200]}; {fix}"
        return replace(before, nodes=0, trouble=Trouble("PlaceholderMissing", missing))
    ours = wanted > 0 and (before.ours or wanted > scale.replicas)
    if trouble is not None:
        return Held(0, trouble, ours, now + BARRED_S)
    # What was wrong with pods that are gone by now would be wrong with the next ones.
    standing = before.trouble if now < before.until and not pods else None
    return Held(sum(_has_node(pod) for pod in pods), standing, ours, before.until)


def _too_many(deployment: str, replicas: int) -> Trouble | None:
    if replicas <= HELD:
        return None
    told = f"warm.tiers placeholder: Deployment {deployment} has {replicas} replicas, a placeholder has at most {HELD}"
    return Trouble("PlaceholderNotOurs", f"{told}; name the one that holds nodes")


def _too_high(pods: object, priority_class: str) -> Trouble | None:
    """A placeholder that no model's pod may push out holds the node against the very pods that it is there for."""
    for pod in pods if isinstance(pods, list | tuple) else ():
        spec = pod.get("spec") or {}
        priority, named = spec.get("priority") or 0, spec.get("priorityClassName") or ""
        if priority >= 0:
            fix = f"give {priority_class} a value below 0"
            told = f"placeholderPriorityClass: {named or 'none'}: its pods have priority {priority}; {fix}"
            return Trouble("PlaceholderPriorityTooHigh", told)
        if named != priority_class:
            told = f"placeholderPriorityClass: {priority_class}: the placeholder's pods have {named}; name that one"
            return Trouble("PlaceholderClassDiffers", told)
    return None


def _has_node(pod: Body) -> bool:
    return bool((pod.get("spec") or {}).get("nodeName")) and not (pod.get("metadata") or {}).get("deletionTimestamp")
