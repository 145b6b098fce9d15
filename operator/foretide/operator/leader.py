"""One writer among several operators: a coordination.k8s.io Lease, held by monotonic time.

We lead while our own last successful renewal began less than the renew deadline ago; the deadline is shorter than the
lease, so a successor can only begin after we have stopped. Another's lease is expired when its record did not change
for a whole lease duration as we saw it: the clocks of two machines are never compared. Losing the lead ends the
process at once, without cleaning up.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from foretide.operator.seams import Body, Clock, ClusterError
from foretide.operator.settings import LeaseSettings

logger = logging.getLogger(__name__)


class Leases(Protocol):
    async def lease(self, namespace: str, name: str) -> Body: ...
    async def create_lease(self, namespace: str, body: Body) -> Body: ...
    async def update_lease(self, namespace: str, name: str, body: Body) -> Body: ...


class Leader:
    """`leads` is cheap and to be asked right before every write."""

    def __init__(
        self, leases: Leases, *, settings: LeaseSettings, identity: str, clock: Clock, end: Callable[[int], None]
    ) -> None:
        self._leases = leases
        self._settings = settings
        self._identity = identity
        self._clock = clock
        self._end = end
        self._renewed_at: float | None = None
        self._seen: tuple[object, ...] = ()
        self._seen_at = 0.0
        self._told = ""

    def leads(self) -> bool:
        if not self._settings.enabled:
            return True
        return self._renewed_at is not None and self.age() < self._settings.renew_deadline_s

    def age(self) -> float:
        """Seconds since the last renewal of ours; infinite when there was none."""
        return float("inf") if self._renewed_at is None else self._clock.monotonic() - self._renewed_at

    async def run(self) -> None:
        """Acquires, renews, and ends the process when the lead is lost. Never returns."""
        while self._settings.enabled:
            led = self._renewed_at is not None
            await self.attempt()
            if led and not self.leads():
                logger.critical("the lead is lost; ending before anything is written")
                self._end(1)
            await self._clock.sleep(self._settings.retry_s)

    async def attempt(self) -> bool:
        """Tries once to acquire or renew; True when that worked."""
        began = self._clock.monotonic()
        try:
            won = await self._acquired(began)
        except ClusterError as error:
            self._tell(error)
            won = False
        if won:
            self._told = ""
            if self._renewed_at is None:
                logger.info("%s leads", self._identity)
            self._renewed_at = began
        return won

    async def release(self) -> None:
        """Hands the lead over, so that a successor need not wait for the lease to expire."""
        if not self._settings.enabled or not self.leads():
            return
        try:
            body = await self._leases.lease(self._settings.namespace, self._settings.name)
            if (body.get("spec") or {}).get("holderIdentity") == self._identity:
                await self._leases.update_lease(self._settings.namespace, self._settings.name, self._claimed(body, ""))
        except ClusterError as error:
            logger.info("lease could not be released: %s", error)
        self._renewed_at = None

    def _tell(self, error: ClusterError) -> None:
        """Logs what keeps us from leading, once for as long as it stays the same."""
        if str(error) == self._told:
            return
        self._told = str(error)
        hint = ""
        if error.status == 404:  # a Lease that is missing is created, so what is missing is its namespace
            hint = f"; run `kubectl create namespace {self._settings.namespace}`, or pass --lease-namespace"
        level = logging.INFO if error.status == 409 else logging.WARNING
        logger.log(level, "nothing is written before we lead: lease: %s%s", error, hint)

    async def _acquired(self, now: float) -> bool:
        space, name = self._settings.namespace, self._settings.name
        try:
            body = await self._leases.lease(space, name)
        except ClusterError as error:
            if error.status != 404:
                raise
            new: Body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}}
            await self._leases.create_lease(space, self._claimed(new, self._identity))
            return True
        if not self._is_ours_to_take(body.get("spec") or {}, now):
            return False
        # The body carries its resourceVersion: of two who take it at once, one gets a 409.
        await self._leases.update_lease(space, name, self._claimed(body, self._identity))
        return True

    def _is_ours_to_take(self, spec: Body, now: float) -> bool:
        holder = spec.get("holderIdentity") or ""
        record = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._seen:
            self._seen, self._seen_at = record, now
        lasts = float(spec.get("leaseDurationSeconds") or self._settings.duration_s)
        return holder in ("", self._identity) or now - self._seen_at >= lasts

    def _claimed(self, body: Body, holder: str) -> dict[str, Any]:
        old = body.get("spec") or {}
        time = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        changed = old.get("holderIdentity") != holder
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(self._settings.duration_s)) if holder else 1,
            "acquireTime": time if changed else old.get("acquireTime") or time,
            "renewTime": time,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (1 if changed and holder else 0),
        }
        return {**body, "spec": spec}
