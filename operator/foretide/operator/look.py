"""One look at a target in the cluster: its scale, its pods, who else writes it. A failed look is a value too."""

import logging
from dataclasses import dataclass

from foretide.operator.conflict import asking_object, conflict
from foretide.operator.keda.carried import Uncarried, uncarried
from foretide.operator.pods import Replica, counts, replicas
from foretide.operator.registry import Registry
from foretide.operator.resource import Resource
from foretide.operator.seams import Body, Cluster, ClusterError, NotScalable, Scale, TargetRef
from foretide.policies.contest import Held
from foretide.policies.flow import Pool

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What was found; `scale.version` makes a later write conditional on nothing having changed since."""

    scale: Scale
    replicas: tuple[Replica, ...]
    conflict: str
    asking: str = ""
    """The ScaledObject that asks us about this target."""
    uncarried: Uncarried | None = None
    """Why KEDA, which asks, does not follow."""
    held: Held = Held.NOT
    """Given, the conflict is one with whoever writes the replicas, not with another autoscaler."""

    def pool(self, resource: Resource) -> Pool:
        found, declared = counts(self.replicas), resource.pool
        return Pool(
            name=declared.name,
            min_replicas=declared.min_replicas,
            max_replicas=declared.max_replicas,
            desired=self.scale.replicas,
            ready=found.ready,
            starting=found.starting,
            unschedulable=found.unschedulable,
            gpus_per_replica=declared.gpus_per_replica,
            version=self.scale.version,
            asleep=found.asleep,
            lost=found.lost,
            conflict=self.conflict,
        )

    def ready_pods(self) -> frozenset[str]:
        return frozenset(replica.name for replica in self.replicas if replica.ready and not replica.terminating)

    def reporting_pods(self, *, now: float, within_s: float) -> int:
        """How many pods are ready for so long that their metrics must be there by now."""
        ready = [replica for replica in self.replicas if replica.ready and not replica.terminating]
        return sum(replica.ready_at is None or now - replica.ready_at > within_s for replica in ready)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """The target could not be looked at: a reason for the condition TargetResolved, and what to do about it."""

    reason: str
    message: str


class Looker:
    """Looks at targets. Rival autoscalers, and our own resources, are listed once per pass."""

    def __init__(self, cluster: Cluster, registry: Registry) -> None:
        self._cluster = cluster
        self._registry = registry
        self._rivals: dict[str, tuple[Body, ...]] = {}
        self._ours: dict[tuple[str, TargetRef], list[Resource]] = {}
        """Our own resources by what they scale."""

    def begin_pass(self) -> None:
        self._rivals.clear()
        self._ours.clear()
        for entry in self._registry.entries():
            if entry.resource is not None:
                self._ours.setdefault(_scaled(entry.resource), []).append(entry.resource)

    async def look(self, resource: Resource) -> Look | Unresolved:
        namespace, target = resource.key.namespace, resource.pool.target
        try:
            scale = await self._cluster.scale(namespace, target)
            found = await self._cluster.pods(namespace, scale.selector) if scale.selector else ()
            rivals = await self._rivals_in(namespace)
        except ClusterError as error:
            return unresolved(resource, error)
        foreign = conflict(resource, rivals=rivals, others=self._ours.get(_scaled(resource), ()))
        asks = asking_object(resource, rivals)
        return Look(
            scale,
            replicas(found),
            foreign,
            str(asks["metadata"]["name"]) if asks is not None else "",
            uncarried(asks, rivals) if asks is not None else None,
        )

    async def writer(self, resource: Resource) -> str:
        """Who wrote the target's replicas last, by the API server's name; empty where it cannot be known."""
        try:
            return await self._cluster.writer(resource.key.namespace, resource.pool.target)
        except ClusterError as error:
            logger.info("%s: who wrote the replicas is not known: %s", resource.key, error)
            return ""

    async def _rivals_in(self, namespace: str) -> tuple[Body, ...]:
        if namespace not in self._rivals:
            self._rivals[namespace] = tuple(await self._cluster.rivals(namespace))
        return self._rivals[namespace]


def _scaled(resource: Resource) -> tuple[str, TargetRef]:
    return resource.key.namespace, resource.pool.target


def unresolved(resource: Resource, error: ClusterError) -> Unresolved:
    """What a failed look means for the owner of the resource."""
    where = f"pools[{resource.pool.index}].targetRef"
    target = f"{where}: {resource.pool.target} in namespace {resource.key.namespace}"
    if isinstance(error, NotScalable):
        return Unresolved("TargetNotScalable", f"{where}: {error}; name a kind that has replicas")
    if error.status == 404:
        return Unresolved("TargetNotFound", f"{target} does not exist; create it or correct the name")
    if error.status in (401, 403):
        fix = "name its kind in the chart's `targets`"
        return Unresolved("Forbidden", f"{target}: the operator may not read it; {fix}")
    return Unresolved("ClusterUnreachable", f"{target}: {str(error)[:200]}")
