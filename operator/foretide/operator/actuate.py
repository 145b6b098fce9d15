"""The only write of replicas in this program.

The write names the resourceVersion of the evidence it was decided on. If the target has moved since, the API server
answers 409 and nothing is sent again: the caller looks and decides anew.
"""

from dataclasses import dataclass
from enum import StrEnum

from foretide.operator.resource import Resource
from foretide.operator.seams import Cluster, ClusterError, Written
from foretide.policies.flow import Order, Pool


class Outcome(StrEnum):
    DONE = "done"
    MOVED = "moved"
    REFUSED = "refused"
    """We refused it ourselves: the order does not fit the resource as it is now."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Actuation:
    outcome: Outcome
    message: str = ""


async def actuate(cluster: Cluster, *, resource: Resource, pool: Pool, order: Order) -> Actuation:
    """Carries out an order on the pool it was decided for. Never raises, never retries."""
    if refusal := _refusal(resource, pool, order):
        return Actuation(Outcome.REFUSED, refusal)
    target = resource.pool.target
    try:
        written = await cluster.write_scale(resource.key.namespace, target, replicas=order.after, version=order.version)
    except ClusterError as error:
        return Actuation(Outcome.FAILED, f"writing {order.after} replicas to {target} failed: {str(error)[:200]}")
    if written is Written.MOVED:
        return Actuation(Outcome.MOVED, f"{target} changed since it was read; deciding again")
    return Actuation(Outcome.DONE, f"{target} scaled from {order.before} to {order.after}")


def _refusal(resource: Resource, pool: Pool, order: Order) -> str:
    """The last line of defence, in words: what no order may ever be, whoever made it."""
    if not order.version or order.version != pool.version:
        return "the order was decided on another version of the target"
    if order.before != pool.desired:
        return f"the order starts from {order.before} replicas, the target has {pool.desired}"
    if pool.conflict:
        return pool.conflict
    # Beyond the maximum an order may bring a count back down, in steps; it may never raise it further.
    if order.after > max(resource.pool.max_replicas, order.before):
        return f"{order.after} replicas are above maxReplicas {resource.pool.max_replicas}"
    if order.after < min(resource.pool.min_replicas, order.before) or order.after < 0:
        return f"{order.after} replicas are below minReplicas {resource.pool.min_replicas}"
    return ""
