"""Kopf: watch events into the registry, a login, a probe. No decisions here.

Only `on.event` handlers: no finalizer, no annotation, no patch ever goes to a resource because of Kopf. The settings
are those of reliability.md 3.4: endless retries with jitter, short timeouts, no peering, no scanning, no events.
"""

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import kopf

from foretide.operator.credentials import Credentials
from foretide.operator.loop import Loop
from foretide.operator.registry import Registry
from foretide.operator.resource import GROUP, PLURAL, VERSION
from foretide.operator.seams import Key
from foretide.operator.watchdog import Watchdog


class EndlessBackoff:
    """Delays between retries, anew for each request: 1, 1, 2, 3, then 5 seconds for ever, each with jitter."""

    def __iter__(self) -> Iterator[float]:
        jitter = random.Random()  # noqa: S311 (spreads load, keeps no secret)
        for delay in (1.0, 1.0, 2.0, 3.0):
            yield delay * jitter.uniform(0.8, 1.2)
        while True:
            yield 5.0 * jitter.uniform(0.8, 1.2)


def kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.request_timeout = 10
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = EndlessBackoff()
    settings.watching.server_timeout = 240
    settings.watching.client_timeout = 300
    settings.watching.inactivity_timeout = 70
    settings.queueing.worker_limit = 64
    settings.persistence.finalizer = f"{GROUP}/unused"
    settings.process.ultimate_exiting_timeout = 30
    return settings


def kopf_handlers(
    *,
    registry: Registry,
    loop: Loop,
    watchdog: Watchdog,
    credentials: Credentials,
    stop: Callable[[], Awaitable[None]],
) -> kopf.OperatorRegistry:
    """Everything that Kopf calls, in a registry of its own."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return connection(credentials)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def seen(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 (Kopf passes it by this name)
        watchdog.saw_event()
        meta = body["metadata"]
        key = Key(meta["namespace"], meta["name"])
        if type == "DELETED":
            registry.forget(key)
        elif registry.see(dict(body)):
            loop.bring_forward(key)

    @kopf.on.probe(id="watchdog", registry=handlers)
    async def probe(**_: Any) -> str:
        if problem := watchdog.problem():
            # Any other exception would be retried for a minute and leave the kubelet waiting.
            raise kopf.PermanentError(problem)
        return "ok"

    @kopf.on.cleanup(registry=handlers)
    async def cleanup(**_: Any) -> None:
        # Kopf would wait 5 s for our tasks, and then cancel them itself.
        await stop()

    return handlers


def connection(credentials: Credentials) -> kopf.ConnectionInfo:
    """Our credentials as Kopf takes them; called again after a 401, so that a rotated token is read."""
    return kopf.ConnectionInfo(
        server=credentials.server,
        ca_path=credentials.ca_file,
        ca_data=credentials.ca_data,
        insecure=credentials.insecure or None,
        scheme="Bearer" if credentials.current_token() else None,
        token=credentials.current_token(),
        certificate_data=credentials.certificate,
        private_key_data=credentials.private_key,
    )
