"""The tuner as a process: one sweep over all resources each window, under a Lease of its own.

It lists, it does not watch: a window is a minute, and a change that comes a window later is early enough. A resource
that fails is its own affair: the sweep goes on.

What is NOT promised: windows in step with the metric source's scrapes. A window ends when its sweep begins.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from types import MappingProxyType

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from foretide.operator.clock import SystemClock
from foretide.operator.credentials import credentials_from
from foretide.operator.kube import Kubernetes
from foretide.operator.leader import Leader
from foretide.operator.process import answering, crd_hint, opened_sources
from foretide.operator.seams import Body, Clock, ClusterError, Key
from foretide.operator.settings import Settings
from foretide.operator.tuner.decide import Maker, bandit
from foretide.operator.tuner.endpoint import EndpointSettings
from foretide.operator.tuner.endpoints import Endpoints
from foretide.operator.tuner.looking import Looking
from foretide.operator.tuner.objects import Objects
from foretide.operator.tuner.telemetry import TunerTelemetry
from foretide.operator.tuner.turns import Turner
from foretide.operator.tuner.writing import Writing

logger = logging.getLogger(__name__)
AT_ONCE = 4
"""Resources that are worked on concurrently."""
LATE_S = 120.0
"""Beyond three windows: for so long without a sweep, the process is not well."""


async def serve(
    settings: Settings,
    *,
    window_s: float,
    allowed: Mapping[str, EndpointSettings] = MappingProxyType({}),
    learner: Maker = bandit,
    end: Callable[[int], None] = os._exit,
) -> None:
    """Runs until SIGINT or SIGTERM. `end` is how a process that has lost the lead leaves: at once."""
    clock, telemetry = SystemClock(), TunerTelemetry()
    async with AsyncExitStack() as stack:
        credentials = credentials_from(settings.kubeconfig, context=settings.context)
        cluster = await stack.enter_async_context(Kubernetes(credentials, namespaces=settings.namespaces))
        sources = await opened_sources(stack, settings.sources)
        leader = Leader(cluster, settings=settings.lease, identity=settings.identity, clock=clock, end=end)
        objects, endpoints = Objects(cluster), await stack.enter_async_context(Endpoints(allowed))
        turner = Turner(
            looking=Looking(
                cluster=cluster,
                objects=objects,
                endpoints=endpoints,
                sources=sources,
                settings=settings,
                window_s=window_s,
            ),
            writing=Writing(
                cluster=cluster,
                objects=objects,
                endpoints=endpoints,
                leads=leader.leads,
                identity=settings.identity,
            ),
            start_s=settings.cold_start_median_s,
            window_s=window_s,
            learner=learner,
        )
        sweeps = Sweeps(cluster=cluster, turner=turner, leads=leader.leads, clock=clock, telemetry=telemetry)
        runner = await page(settings.health_address, sweeps, telemetry, window_s=window_s)
        try:
            await _until_a_signal(leader.run(), sweeps.run(window_s))
        finally:
            await leader.release()
            await runner.cleanup()


class Sweeps:
    """A sweep looks only while it leads: two that look would remember two things."""

    def __init__(
        self,
        *,
        cluster: Kubernetes,
        turner: Turner,
        leads: Callable[[], bool],
        clock: Clock,
        telemetry: TunerTelemetry,
    ) -> None:
        self._cluster, self._turner, self._leads = cluster, turner, leads
        self._clock, self._telemetry = clock, telemetry
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self.swept_at = clock.monotonic()

    async def run(self, window_s: float) -> None:
        """Never returns. Before it leads it looks again soon, so that the first window is not long in coming."""
        due = self._clock.monotonic()
        while True:
            if self._leads():
                await self.sweep()
                due = max(due + window_s, self._clock.monotonic())
            else:
                due = self._clock.monotonic() + min(1.0, window_s)
            self.swept_at = self._clock.monotonic()
            await self._clock.sleep(due - self._clock.monotonic())

    async def sweep(self) -> None:
        try:
            bodies = await self._cluster.autoscalers()
        except ClusterError as error:
            logger.warning("list: %s%s", error, crd_hint(error))
            return
        now = self._clock.now()
        await asyncio.gather(*(self._one(body, now) for body in bodies))

    async def _one(self, body: Body, now: float) -> None:
        key = Key(str(body["metadata"].get("namespace")), str(body["metadata"].get("name")))
        async with self._at_once:
            try:
                told = await self._turner.turn(body, now=now)
            except Exception:
                logger.exception("%s: turn failed", key)
                return
        self._telemetry.count(key, told)


async def page(address: str, sweeps: Sweeps, telemetry: TunerTelemetry, *, window_s: float) -> web.AppRunner:
    """/healthz and /metrics at HOST:PORT; the caller cleans up."""

    async def health(_: web.Request) -> web.Response:
        age = asyncio.get_running_loop().time() - sweeps.swept_at
        late = age > 3 * window_s + LATE_S
        return web.Response(text=f"no sweep for {age:.0f} s\n" if late else "ok\n", status=503 if late else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=telemetry.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return await answering(address, [web.get("/healthz", health), web.get("/metrics", metrics)])


async def _until_a_signal(*work: object) -> None:
    """Side by side until a signal comes; a task that dies takes the others with it."""
    tasks = [asyncio.ensure_future(each) for each in work]  # type: ignore[call-overload]
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    waiting = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (*tasks, waiting):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
