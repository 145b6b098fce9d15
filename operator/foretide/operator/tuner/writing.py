"""The tuner's three writes: its number, its part of the status, and events. Nothing else is ever written."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from foretide.operator.events import Subject, event_of
from foretide.operator.kube import AUTOSCALERS, MERGE_PATCH
from foretide.operator.resource import PLURAL
from foretide.operator.seams import Body, ClusterError, Key, TargetRef
from foretide.operator.tuner.endpoints import Held
from foretide.operator.tuner.knob import Patch, Refusal, patch
from foretide.operator.tuner.looking import Number, unread
from foretide.operator.tuner.objects import FIELD_MANAGER, Caller, Put
from foretide.operator.tuner.told import STOPPED, UNANSWERED, WAITING, Still
from foretide.operator.tuner.written import Endpoint, Knob

logger = logging.getLogger(__name__)


LOST = Still(WAITING, "LostLead", "the lead was lost before the number was written")


class Events(Protocol):
    async def emit(self, event: Body) -> None: ...


class Cluster(Caller, Events, Protocol):
    """What of `Kubernetes` is needed here."""


class Putter(Protocol):
    """What of `Objects` is needed here."""

    async def put(self, namespace: str, ref: TargetRef, patch: Patch) -> Put: ...


class Turning(Protocol):
    """What of `Endpoints` is needed here."""

    async def put(self, key: Key, endpoint: Endpoint, now: Held, value: int) -> Still | None: ...


class Writing:
    """Asks `leads` right before every write."""

    def __init__(
        self, *, cluster: Cluster, objects: Putter, endpoints: Turning, leads: Callable[[], bool], identity: str
    ) -> None:
        self._cluster, self._objects, self._endpoints = cluster, objects, endpoints
        self._leads, self._identity = leads, identity

    async def number(self, key: Key, knob: Knob | Endpoint, now: Number, value: int) -> Still | None:
        """None where it is written; else why not. A write to the cluster is never retried."""
        if not isinstance(knob, Endpoint):
            return await self._patched(key, knob, now, value)
        if not self._leads():
            return LOST
        return await self._endpoints.put(key, knob, Held(now.value, now.body, now.etag), value)

    async def _patched(self, key: Key, knob: Knob, now: Number, value: int) -> Still | None:
        made = patch(now.body, knob.path, value, knob.pattern)
        if isinstance(made, Refusal):
            return Still(STOPPED, "BadKnob", f"spec.concurrency.knob: {knob.ref}: {made.text}")
        if not self._leads():
            return LOST
        try:
            put = await self._objects.put(key.namespace, knob.ref, made)
        except ClusterError as error:
            if error.status in (400, 401, 403, 404):
                return unread(knob.ref, error)
            words = f"writing {value} to {knob.ref} failed: {str(error)[:200]}"
            return Still(STOPPED, "WriteRefused", words) if error.status == 422 else Still(WAITING, UNANSWERED, words)
        if put is Put.MOVED:
            return Still(WAITING, "Moved", f"{knob.ref} changed since it was read; deciding again in the next window")
        return None

    async def status(self, key: Key, after: Mapping[str, Any] | None) -> bool:
        """Whether our part was written; None takes it away. It is written whole."""
        if not self._leads():
            return False
        change = None if after is None else {"writing": None, "canary": None, **after}
        path = f"{AUTOSCALERS}/namespaces/{key.namespace}/{PLURAL}/{key.name}/status"
        body, params = {"status": {"concurrency": change}}, {"fieldManager": FIELD_MANAGER}
        try:
            await self._cluster.call("PATCH", path, json=body, params=params, content_type=MERGE_PATCH)
        except ClusterError as error:
            logger.info("status of %s could not be written: %s", key, error)
            return False
        return True

    async def events(self, subject: Subject, told: tuple[tuple[str, str, str], ...], *, at: float) -> None:
        for kind, reason, message in told if self._leads() else ():
            event = event_of(subject, at=at, kind=kind, reason=reason, message=message, by=self._identity)
            try:
                await self._cluster.emit(event)
            except ClusterError as error:
                logger.info("event of %s could not be written: %s", subject.key, error)
