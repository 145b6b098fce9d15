"""Puts the last replica of an idle target to sleep and wakes it: the pod leaves the endpoints first, and returns last.

Every step is bounded. An engine that answers errors, or says that it sleeps and does not, is asked three times; one
that does not wake within its time is given up and its pod marked Lost, so that a fresh one is started in its place.
After either the target does without sleep for a while.

What is NOT promised: a nap in one pass. Each step is taken on a look of its own, seconds apart.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from foretide.operator.engine_sleep import EngineError, SleepApi
from foretide.operator.gates import Nap
from foretide.operator.pods import Replica
from foretide.operator.seams import Cluster, ClusterError
from foretide.policies.declared import SLEEPING
from foretide.policies.warm.ladder import READY

logger = logging.getLogger(__name__)
TRIES = 3
BARRED_S = 600.0
"""Without sleep for so long after it failed."""
LEAST_WAKE_S, UNLUCKY = 30.0, 10.0
"""A wake may take this long, or so many times its declared time where that is more."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a tier cannot be had: a reason of the condition TiersAvailable, and the fix."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Bed:
    """Where one target's engines sleep."""

    namespace: str
    port: int
    wake_s: float
    """As declared."""


@dataclass(slots=True)
class Naps:
    """Of one target, for one life. Times are wall time, seconds."""

    tries: dict[str, int] = field(default_factory=dict)
    called_at: dict[str, float] = field(default_factory=dict)
    """Pod -> when it was first called to wake."""
    barred_until: float = float("-inf")
    trouble: Trouble | None = None
    woke_s: float | None = None
    """How long the last one took that woke since anybody asked."""

    def may(self, now: float) -> bool:
        """Whether sleep is to be had."""
        if now >= self.barred_until:
            self.trouble = None
        return self.trouble is None

    def news(self) -> float | None:
        """The last wake, told once."""
        told, self.woke_s = self.woke_s, None
        return told

    def failed(self, pod: str, reason: str, message: str, *, now: float) -> None:
        self.tries.pop(pod, None)
        self.called_at.pop(pod, None)
        self.trouble, self.barred_until = Trouble(reason, message), now + BARRED_S
        logger.warning("%s: %s", pod, message)


def unsettled(replicas: Sequence[Replica]) -> bool:
    """Whether a pod with a gate waits for its next step, or will in a moment."""
    present = [one for one in replicas if one.gated and not one.terminating]
    return any(one.nap in (Nap.NONE, Nap.DROWSY, Nap.WAKING) for one in present)


class Settler:
    """Takes the next step of every pod that has a gate."""

    def __init__(self, cluster: Cluster, engines: SleepApi) -> None:
        self._cluster = cluster
        self._engines = engines

    async def settle(self, naps: Naps, bed: Bed, replicas: Sequence[Replica], *, tier: str, now: float) -> None:
        """One step towards `tier`; an empty one ends what is half done, and lets lie who sleeps. Never raises."""
        for pod in replicas:
            if pod.terminating:
                continue
            try:
                await self._step(naps, bed, pod, tier, now)
            except ClusterError as error:
                if error.status in (401, 403):
                    fix = "set sleep.enabled in the chart's values"
                    naps.failed(pod.name, "Forbidden", f"the gate of {pod.name} may not be set; {fix}", now=now)
                logger.info("the gate of pod %s/%s stays: %s", bed.namespace, pod.name, error)

    async def _step(self, naps: Naps, bed: Bed, pod: Replica, tier: str, now: float) -> None:
        if not pod.gated:
            if tier == SLEEPING and pod.ready:
                fix = "add readinessGates: [{conditionType: autoscaling.foretide.io/awake}] to the pod template"
                naps.failed(pod.name, "NoReadinessGate", f"{pod.name} could not leave the endpoints; {fix}", now=now)
        elif pod.nap is Nap.NONE or (pod.nap is Nap.DROWSY and tier != SLEEPING):
            await self._up(naps, bed, pod, now)
        elif pod.nap is Nap.AWAKE and tier == SLEEPING and pod.ready and naps.may(now):
            await self._gate(bed, pod, Nap.DROWSY, now)
        elif pod.nap is Nap.DROWSY and not pod.ready:
            await self._down(naps, bed, pod, now)
        elif (pod.nap is Nap.ASLEEP and tier == READY) or pod.nap is Nap.WAKING:
            await self._wake(naps, bed, pod, now)

    async def _up(self, naps: Naps, bed: Bed, pod: Replica, now: float) -> None:
        """A pod that never slept, or was about to, takes requests as soon as its containers do."""
        naps.tries.pop(pod.name, None)
        await self._gate(bed, pod, Nap.AWAKE, now)

    async def _down(self, naps: Naps, bed: Bed, pod: Replica, now: float) -> None:
        try:
            await self._engines.sleep(pod, namespace=bed.namespace, port=bed.port)
            asleep = await self._engines.is_sleeping(pod, namespace=bed.namespace, port=bed.port)
            why = "says that it sleeps and does not"
        except EngineError as error:
            asleep, why = False, str(error)
        if asleep:
            naps.tries.pop(pod.name, None)
            await self._gate(bed, pod, Nap.ASLEEP, now)
            return
        naps.tries[pod.name] = naps.tries.get(pod.name, 0) + 1
        if naps.tries[pod.name] >= TRIES:
            fix = "start vLLM with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1, or drop the tier"
            naps.failed(pod.name, "SleepFailed", f"{pod.name} does not sleep ({why}); {fix}", now=now)
            await self._roused(bed, pod, now)

    async def _roused(self, bed: Bed, pod: Replica, now: float) -> None:
        """One that would not sleep may sleep half: it is woken before it takes requests again, or given up."""
        try:
            await self._engines.wake(pod, namespace=bed.namespace, port=bed.port)
            half = await self._engines.is_sleeping(pod, namespace=bed.namespace, port=bed.port)
        except EngineError:
            half = False  # An engine without these endpoints has never slept.
        await self._gate(bed, pod, Nap.WAKING if half else Nap.AWAKE, now)

    async def _wake(self, naps: Naps, bed: Bed, pod: Replica, now: float) -> None:
        since = naps.called_at.setdefault(pod.name, now)
        try:
            if naps.tries.get(pod.name, 0) < TRIES:
                naps.tries[pod.name] = naps.tries.get(pod.name, 0) + 1
                await self._engines.wake(pod, namespace=bed.namespace, port=bed.port)
            asleep = await self._engines.is_sleeping(pod, namespace=bed.namespace, port=bed.port)
            why = "still says that it sleeps"
        except EngineError as error:
            asleep, why = True, str(error)
        if not asleep:
            naps.tries.pop(pod.name, None)
            naps.woke_s = now - naps.called_at.pop(pod.name)
            await self._gate(bed, pod, Nap.AWAKE, now)
        elif now - since >= max(LEAST_WAKE_S, UNLUCKY * bed.wake_s):
            message = f"{pod.name} did not wake within {now - since:.0f} s ({why}); a fresh replica is started instead"
            naps.failed(pod.name, "WakeFailed", message, now=now)
            await self._gate(bed, pod, Nap.LOST, now, message)
        elif pod.nap is not Nap.WAKING:
            await self._gate(bed, pod, Nap.WAKING, now)

    async def _gate(self, bed: Bed, pod: Replica, nap: Nap, now: float, message: str = "") -> None:
        await self._cluster.set_nap(bed.namespace, pod.name, nap.value, at=now, message=message)
