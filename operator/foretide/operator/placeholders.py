"""Holds a node for a target at zero: a Deployment of low-priority pods is scaled up while nobody asks, and down again
once the target has replicas, which the scheduler has by then put in their place.

What is NOT promised: one pool of nodes for many targets. Each target holds its own, as many as the Deployment's owner
let it hold: one.
"""

from dataclasses import dataclass

from foretide.operator.naps import Trouble
from foretide.operator.seams import Body, Cluster, ClusterError, TargetRef
from foretide.policies.declared import PLACEHOLDER
from foretide.policies.warm.ladder import READY, ZERO

HELD = 1


@dataclass(frozen=True, slots=True)
class Held:
    """Placeholder pods that have a node, and what is wrong with the tier."""

    nodes: int = 0
    trouble: Trouble | None = None


async def settle(cluster: Cluster, *, namespace: str, deployment: str, priority_class: str, tier: str) -> Held:
    """One step towards `tier`; an empty one leaves the count. Never raises."""
    ref = TargetRef("apps/v1", "Deployment", deployment)
    try:
        scale = await cluster.scale(namespace, ref)
        pods = await cluster.pods(namespace, scale.selector) if scale.replicas and scale.selector else ()
        trouble = _too_high(pods, priority_class)
        wanted = 0 if trouble else {PLACEHOLDER: HELD, ZERO: 0, READY: 0}.get(tier, scale.replicas)
        if wanted != scale.replicas:
            await cluster.write_scale(namespace, ref, replicas=wanted, version=scale.version)
    except ClusterError as error:
        fix = "create it with replicas: 0, or drop the tier"
        missing = f"warm.tiers placeholder: Deployment {deployment}: {str(error)[:200]}; {fix}"
        return Held(trouble=Trouble("PlaceholderMissing", missing))
    return Held(0 if trouble else sum(_has_node(pod) for pod in pods), trouble)


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
