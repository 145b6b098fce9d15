"""The operator as a process: puts the parts together and runs them side by side until a signal, or until one dies."""

import asyncio
import logging
import os
import random
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

import kopf
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from foretide.forecaster.dozing import Dozing
from foretide.forecaster.ladder import Ladder
from foretide.forecaster.network.tier import NetworkTier
from foretide.operator.ahead import Ahead
from foretide.operator.clock import SystemClock
from foretide.operator.credentials import Credentials, credentials_from
from foretide.operator.engine_sleep import VllmSleep
from foretide.operator.events import Events
from foretide.operator.finish import Finisher
from foretide.operator.handlers import kopf_handlers, kopf_settings
from foretide.operator.journals import FileJournal
from foretide.operator.keda.ledger import Ledger
from foretide.operator.kube import Kubernetes
from foretide.operator.leader import Leader
from foretide.operator.look import Looker
from foretide.operator.loop import Loop, Parts
from foretide.operator.networks import Networks
from foretide.operator.pace import Pace
from foretide.operator.page.record import Decisions
from foretide.operator.page.serve import page_app
from foretide.operator.page.view import Life, Window
from foretide.operator.pair.service import RoleServices
from foretide.operator.pair.turns import PairTurner
from foretide.operator.process import answering, crd_hint, opened_sources, serving
from foretide.operator.reading import Reading
from foretide.operator.registry import Registry
from foretide.operator.rehearsals import Rehearsals
from foretide.operator.seams import ClusterError, Key, MetricsSource
from foretide.operator.service import Services
from foretide.operator.settings import Settings
from foretide.operator.status import Turn
from foretide.operator.target import Targets
from foretide.operator.telemetry import Telemetry
from foretide.operator.turns import Turner
from foretide.operator.warmth import Warmth
from foretide.operator.watchdog import Limits, Watchdog, WatcherDeath
from foretide.policies.flow import Forecaster

logger = logging.getLogger(__name__)


async def serve(settings: Settings, *, end: Callable[[int], None] = os._exit) -> None:
    """Runs until SIGINT or SIGTERM. `end` is how a process that must not go on leaves: at once."""
    credentials = credentials_from(settings.kubeconfig, context=settings.context)
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(Kubernetes(credentials, namespaces=settings.namespaces))
        sources = await opened_sources(stack, settings.sources)
        services = stack.enter_context(Services(cache=settings.cache))
        roles = stack.enter_context(RoleServices(cache=settings.cache))
        operator = Operator(
            settings, credentials=credentials, cluster=cluster, sources=sources, services=(services, roles), end=end
        )
        await operator.run()


class Operator:
    """The parts of one process and the tasks that drive them."""

    def __init__(
        self,
        settings: Settings,
        *,
        credentials: Credentials,
        cluster: Kubernetes,
        sources: dict[str, MetricsSource],
        services: tuple[Services, RoleServices],
        end: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._cluster = cluster
        self._clock = SystemClock()
        self._pace = Pace(settings.writes_per_s, now=self._clock.monotonic)
        self._registry = Registry()
        self._networks = Networks(settings.forecast) if settings.forecast.on else None
        self._telemetry = Telemetry(version=version("foretide"))
        self._leader = Leader(cluster, settings=settings.lease, identity=settings.identity, clock=self._clock, end=end)
        self._ledger = Ledger(
            self._registry, clock=self._clock, leads=self._leader.leads, stale_s=settings.keda.stale_s
        )
        self._rehearsals = Rehearsals()
        self._targets = Targets(settings, new_forecaster=self._forecaster)
        self._decisions = Decisions(self._registry)
        self._loop = Loop(self._parts(sources, services))
        self._watchdog = Watchdog(
            limits=Limits(relist_s=3 * settings.relist_s, sweep_s=3 * settings.plan_s + 60),
            clock=self._clock,
            swept_at=lambda: self._loop.swept_at,
            end=end,
        )

    async def run(self) -> None:
        """Side by side until Kopf hears a signal or a task dies, then hands the lead over."""
        await self._first_relist()
        runners = [await self._metrics_page(), *await self._web_page()]
        tasks = [asyncio.create_task(self._survived(work)) for work in self._background()]

        async def stop() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        death = WatcherDeath(self._watchdog)
        logging.getLogger("kopf").addHandler(death)
        try:
            await kopf.operator(
                registry=kopf_handlers(
                    registry=self._registry,
                    loop=self._loop,
                    watchdog=self._watchdog,
                    credentials=self._credentials,
                    stop=stop,
                ),
                settings=kopf_settings(),
                standalone=True,
                clusterwide=not self._settings.namespaces,
                namespaces=self._settings.namespaces,
                liveness_endpoint=f"http://{self._settings.health_address}/healthz",
            )
        finally:
            logging.getLogger("kopf").removeHandler(death)
            await stop()
            await self._leader.release()
            for runner in runners:
                await runner.cleanup()

    def _parts(self, sources: dict[str, MetricsSource], services: tuple[Services, RoleServices]) -> Parts:
        settings, ahead = self._settings, self._ahead()
        looker = Looker(self._cluster, self._registry)
        reading = Reading(settings, sources)
        pairs = PairTurner(settings=settings, looker=looker, reading=reading, roles=services[1], ahead=ahead)
        return Parts(
            settings=settings,
            registry=self._registry,
            targets=self._targets,
            looker=looker,
            reading=reading,
            turner=Turner(
                settings=settings, looker=looker, reading=reading, services=services[0], ahead=ahead, pairs=pairs
            ),
            finisher=Finisher(
                cluster=self._cluster,
                events=Events(self._cluster, identity=settings.identity, emitting=self._pace.spend),
                pace=self._pace,
                journal=FileJournal(settings.journal) if settings.journal else None,
                telemetry=self._telemetry,
                leads=self._leader.leads,
                status_s=settings.status_s,
                decided=self._decided,
                warmth=Warmth(self._cluster, VllmSleep(settings.engine_address)),
            ),
            telemetry=self._telemetry,
            clock=self._clock,
        )

    def _decided(self, turn: Turn) -> None:
        self._ledger.take(turn)
        if self._settings.page.address:
            self._decisions.take(turn)

    def _forecaster(self, key: Key) -> Forecaster:
        if self._networks is None:
            return Dozing(Ladder(season_s=self._settings.season_s, rehearse=self._rehearsals), name=str(key))
        return Ladder(
            season_s=self._settings.season_s,
            learned=(NetworkTier(self._networks.pool, str(key)),),
            rehearsed=self._networks.rehearsals(),
            rehearse=self._rehearsals,
        )

    def _ahead(self) -> Ahead | None:
        return Ahead(self._networks, paths=self._settings.paths) if self._networks else None

    def _background(self) -> tuple[Coroutine[Any, Any, None], ...]:
        asked = (self._keda(self._settings.keda.address),) if self._settings.keda.address else ()
        return (self._leader.run(), self._loop.run(), self._relists(), self._watchdog.run(), *asked)

    async def _keda(self, address: str) -> None:
        from foretide.operator.keda.serving import serve as serve_keda  # a large library, for those who use KEDA

        def count(code: str) -> None:
            self._telemetry.keda_answers.labels(code).inc()

        await serve_keda(address, self._ledger, leads=self._leader.leads, clock=self._clock, count=count)

    async def _survived(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            # The watchdog sees what stands still; this only says why.
            logger.exception("a background task died")

    async def _first_relist(self) -> None:
        while not await self.relist(first=True):
            await self._clock.sleep(5)

    async def _relists(self) -> None:
        jitter = random.Random()  # noqa: S311 (spreads load, keeps no secret)
        while True:
            await self._clock.sleep(self._settings.relist_s * jitter.uniform(0.9, 1.1))
            await self.relist()

    async def relist(self, *, first: bool = False) -> bool:
        """Compares the registry with a list of our own; what differs is planned at once, and counted."""
        try:
            bodies = await self._cluster.autoscalers()
        except ClusterError as error:
            self._watchdog.relist_failed(answered=error.status != 0)
            logger.warning("relist: %s%s", error, crd_hint(error))
            return False
        changed: tuple[Key, ...] = self._registry.reconcile(bodies)
        if changed and not first:
            for key in changed:
                self._loop.bring_forward(key)
            self._telemetry.divergence.inc(len(changed))
            logger.warning("relist: the watch had not told of %s", ", ".join(map(str, changed[:5])))
        self._watchdog.relisted(diverged=bool(changed) and not first)
        return True

    async def _metrics_page(self) -> web.AppRunner:
        async def metrics(_: web.Request) -> web.Response:
            self._telemetry.is_leader.set(self._leader.leads())
            for head, sound in (self._networks.sound() if self._networks else {}).items():
                self._telemetry.network_up.labels(head).set(sound)
            for name, age in self._watchdog.ages().items():
                self._telemetry.age.labels(name).set(age)
            return web.Response(body=self._telemetry.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})

        return await answering(self._settings.metrics_address, [web.get("/metrics", metrics)])

    async def _web_page(self) -> list[web.AppRunner]:
        settings = self._settings.page
        if settings.address is None:
            return []
        life = Life(
            identity=self._settings.identity,
            version=version("foretide"),
            leads=self._leader.leads,
            rounds=lambda: self._loop.rounds,
            round_age_s=lambda: self._watchdog.ages()["sweep"],
            plan_s=self._settings.plan_s,
        )
        window = Window(
            registry=self._registry, known=self._targets.known, decisions=self._decisions, life=life, clock=self._clock
        )
        logger.info("page: http://%s", settings.address)
        return [await serving(settings.address, page_app(window, hosts=frozenset(settings.hosts)))]
