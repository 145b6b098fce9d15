"""The only write of replicas in this program, and the marks that say which pods it may cost.

The write names the resourceVersion of the evidence it was decided on. If the target has moved since, the API server
answers 409 and nothing is sent again: the caller looks and decides anew.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from foretide.operator.pods import DELETION_COST
from foretide.operator.resource import BY_KEDA, Resource
from foretide.operator.seams import Cluster, ClusterError, Written
from foretide.policies.flow import Mode, Order, Pool

logger = logging.getLogger(__name__)
GONE = 404
CHEAP = "-1000"
"""Cost of the pods that may go: below 0, that of all others."""
COSTED = ("Deployment", "ReplicaSet")
"""Kinds whose pods are removed by their cost; a StatefulSet removes the highest ordinal."""


class Outcome(StrEnum):
    DONE = "done"
    MOVED = "moved"
    REFUSED = "refused"
    """We refused it ourselves: the order does not fit the resource as it is now."""
    FAILED = "failed"
    HANDED = "handed"
    """Left to KEDA, which asks for the count and writes it."""


@dataclass(frozen=True, slots=True)
class Actuation:
    outcome: Outcome
    message: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """Pods to mark as those that may go, and pods whose mark of an earlier, undone order is taken away."""

    victims: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()


async def actuate(
    cluster: Cluster,
    *,
    resource: Resource,
    pool: Pool,
    order: Order,
    leads: Callable[[], bool],
    marks: Marks | None = None,
) -> Actuation:
    """Carries out an order on the pool it was decided for. Never raises, never retries.

    Pods are marked before the count falls. A mark that cannot be set costs its pod nothing but the preference. Marking
    takes requests, and so time in which the lead may be lost: `leads` is asked after it, right before the write.
    """
    if refusal := _refusal(resource, pool, order):
        return Actuation(Outcome.REFUSED, refusal)
    target = resource.pool.target
    if marks is not None and order.after < order.before and target.kind in COSTED:
        await _mark(cluster, resource.key.namespace, marks)
    if not leads():
        return Actuation(Outcome.REFUSED, f"the lead was lost before {target} could be scaled")
    if resource.actuation == BY_KEDA:
        return Actuation(Outcome.HANDED, f"KEDA is told to scale {target} from {order.before} to {order.after}")
    try:
        written = await cluster.write_scale(resource.key.namespace, target, replicas=order.after, version=order.version)
    except ClusterError as error:
        return Actuation(Outcome.FAILED, f"writing {order.after} replicas to {target} failed: {str(error)[:200]}")
    if written is Written.MOVED:
        return Actuation(Outcome.MOVED, f"{target} changed since it was read; deciding again")
    return Actuation(Outcome.DONE, f"{target} scaled from {order.before} to {order.after}")


async def _mark(cluster: Cluster, namespace: str, marks: Marks) -> None:
    costs = [(name, None) for name in marks.spared] + [(name, CHEAP) for name in marks.victims]
    for name, cost in costs:
        try:
            await cluster.annotate_pod(namespace, name, {DELETION_COST: cost})
        except ClusterError as error:
            logger.info("pod %s/%s keeps its deletion cost: %s", namespace, name, error)
            if error.status != GONE:
                return


def _refusal(resource: Resource, pool: Pool, order: Order) -> str:
    """The last line of defence, in words: what no order may ever be, whoever made it."""
    if not order.version or order.version != pool.version:
        return "the order was decided on another version of the target"
    if order.before != pool.desired:
        return f"the order starts from {order.before} replicas, the target has {pool.desired}"
    if pool.conflict:
        return pool.conflict
    return _unapproved(resource, order) or _outside(resource, order)


def _unapproved(resource: Resource, order: Order) -> str:
    approval = resource.spec.approval
    if resource.spec.mode is not Mode.APPROVE or (approval is not None and approval.replicas == order.after):
        return ""
    return f"nobody approved {order.after} replicas"


def _outside(resource: Resource, order: Order) -> str:
    # Beyond the maximum an order may bring a count back down, in steps; it may never raise it further.
    if order.after > max(resource.pool.max_replicas, order.before):
        return f"{order.after} replicas are above maxReplicas {resource.pool.max_replicas}"
    if order.after < min(resource.pool.min_replicas, order.before) or order.after < 0:
        return f"{order.after} replicas are below minReplicas {resource.pool.min_replicas}"
    return ""
