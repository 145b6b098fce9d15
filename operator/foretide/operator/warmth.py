"""The tiers between zero and ready, at the end of a turn: naps and held nodes, after the count itself was written."""

from dataclasses import replace

from foretide.operator import placeholders
from foretide.operator.engine_sleep import SleepApi
from foretide.operator.look import Look
from foretide.operator.naps import Bed, Settler
from foretide.operator.resource import Resource
from foretide.operator.seams import Cluster
from foretide.operator.status import Turn
from foretide.operator.target import Target
from foretide.policies.declared import PLACEHOLDER, SLEEPING


class Warmth:
    """Carries out the tier of a decision. What fails is told in the turn, and does without for a while."""

    def __init__(self, cluster: Cluster, engines: SleepApi) -> None:
        self._cluster = cluster
        self._settler = Settler(cluster, engines)

    async def settle(self, turn: Turn, target: Target) -> Turn:
        """The turn with what is wrong about its tiers; as it was where it has none."""
        resource, found, decision = turn.entry.resource, turn.found, turn.decision
        if resource is None or not isinstance(found, Look) or decision is None or resource.spec.rest is None:
            return turn
        acts = turn.evidence is not None and turn.evidence.mode.acts
        # A gate has to be opened in every mode: a pod that starts would otherwise serve nobody.
        await self._nap(resource, found, target, tier=decision.tier if acts else "", now=turn.at)
        if acts:
            await self._hold(resource, target, tier=decision.tier, now=turn.at)
        target.naps.may(turn.at)
        return replace(turn, tier_trouble=target.naps.trouble or target.held.trouble)

    async def _nap(self, resource: Resource, found: Look, target: Target, *, tier: str, now: float) -> None:
        written = resource.warm.tier(SLEEPING)
        gated = any(one.gated for one in found.replicas)
        if written is None and not gated:
            return
        # Pods with a gate need somebody to open it, and sleepers to be woken, whatever the spec says by now.
        bed = Bed(resource.key.namespace, (written.port if written else 0) or 0, written.wake_time if written else 1.0)
        await self._settler.settle(target.naps, bed, found.replicas, tier=tier, now=now)

    async def _hold(self, resource: Resource, target: Target, *, tier: str, now: float) -> None:
        written = resource.warm.tier(PLACEHOLDER)
        if written is None or written.deployment is None:
            return
        target.held = await placeholders.settle(
            self._cluster,
            target.held,
            namespace=resource.key.namespace,
            deployment=written.deployment,
            priority_class=resource.warm.placeholder_priority_class or "",
            tier=tier,
            now=now,
        )
