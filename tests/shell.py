"""The shipped loop on twins: a world of one target in virtual time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from twins import START, ClockTwin, ClusterTwin, JournalTwin, MetricsTwin, engine, resource

from foretide.operator.engine_sleep import SleepApi
from foretide.operator.events import Events
from foretide.operator.finish import Finisher
from foretide.operator.look import Looker
from foretide.operator.loop import Loop, Parts
from foretide.operator.pace import Pace
from foretide.operator.reading import Reading
from foretide.operator.registry import Registry
from foretide.operator.resource import Resource
from foretide.operator.seams import Key
from foretide.operator.settings import Settings, SourceSettings
from foretide.operator.status import Turn
from foretide.operator.target import Targets
from foretide.operator.telemetry import Telemetry
from foretide.operator.turns import Pairs, Turner
from foretide.operator.warmth import Warmth
from foretide.policies.flow import (
    CapacityTable,
    DemandForecast,
    DemandHistory,
    Forecaster,
    ServiceModel,
    WorkPerUnit,
    frozen,
)

LLAMA = Key("prod", "llama")
TEN_REQUESTS_PER_REPLICA = ServiceModel(
    work=WorkPerUnit(request=1.0, prompt_token=0.0, output_token=0.0),
    capacity=CapacityTable((1,), (10.0,), ("ttft",)),
    source="ten requests/s per replica",
    waiting_work_s=0.5,
)


class LastValue:
    """Forecasts the newest measured demand, for ever and surely."""

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        known = history.values[np.isfinite(history.values).all(axis=1)]
        if not len(known):
            return None
        return DemandForecast(history.end, history.step, frozen(np.tile(known[-1], (paths, horizon, 1))), {"last": 1.0})


@dataclass
class KnownService:
    service: ServiceModel = TEN_REQUESTS_PER_REPLICA

    def of(self, resource: Resource, _: DemandHistory) -> ServiceModel:
        if resource.model == "broken":
            raise RuntimeError("a turn that fails")
        return self.service


@dataclass
class World:
    """A cluster with a target, its engines, and the operator's loop around them."""

    settings: Settings
    clock: ClockTwin = field(default_factory=ClockTwin)
    cluster: ClusterTwin = field(default_factory=ClusterTwin)
    metrics: MetricsTwin = field(default_factory=MetricsTwin)
    journal: JournalTwin = field(default_factory=JournalTwin)
    registry: Registry = field(default_factory=Registry)
    services: KnownService = field(default_factory=KnownService)
    engines: SleepApi | None = None
    """What the last replica is put to sleep by."""
    pairing: Callable[[Looker, Reading], Pairs] | None = None
    """Who takes the turns of two pools."""
    leads: bool = True
    decided: Callable[[Turn], None] = lambda _: None
    """Told of every finished turn."""
    new_forecaster: Callable[[Key], Forecaster] = lambda _: LastValue()

    def __post_init__(self) -> None:
        self.begin_a_life()

    def begin_a_life(self) -> None:
        """A new process on the same world."""
        self.pace = Pace(self.settings.writes_per_s, now=self.clock.monotonic)
        looker, reading = Looker(self.cluster, self.registry), Reading(self.settings, {"default": self.metrics})
        self.pairs = self.pairing(looker, reading) if self.pairing else None
        finisher = Finisher(
            cluster=self.cluster,
            events=Events(self.cluster, identity="test", emitting=self.pace.spend),
            pace=self.pace,
            journal=self.journal,
            telemetry=(telemetry := Telemetry(version="test")),
            leads=lambda: self.leads,
            status_s=self.settings.status_s,
            decided=self.decided,
            warmth=Warmth(self.cluster, self.engines) if self.engines is not None else None,
        )
        self.telemetry = telemetry
        self.finisher = finisher
        self.targets = Targets(self.settings, new_forecaster=self.new_forecaster)
        self.loop = Loop(
            Parts(
                settings=self.settings,
                registry=self.registry,
                targets=self.targets,
                looker=looker,
                reading=reading,
                turner=Turner(
                    settings=self.settings, looker=looker, reading=reading, services=self.services, pairs=self.pairs
                ),
                finisher=finisher,
                telemetry=telemetry,
                clock=self.clock,
            )
        )

    def deploy(self, name: str = "llama", *, replicas: int, **spec: Any) -> None:
        body = resource(name, **spec)
        self.cluster.replicas[name] = replicas
        self.cluster.resources[Key("prod", name)] = body
        self.registry.see(body)

    def serve(self, rate: float, *, name: str = "llama", pods: int, minutes: float = 60.0, **engines: float) -> None:
        """`pods` engines from half an hour before START on; the first one takes all of `rate` requests/s."""
        start, end = START - 1800.0, START + 60.0 * minutes
        for i in range(pods):
            self.metrics.engines["prod", f"{name}-{i}"] = engine(
                rate=0.0 if i else rate, start=start, end=end, **engines
            )

    async def plan(self, *, after: float = 0.0) -> Turn:
        """One sweep, `after` seconds later; the turn of the first target."""
        self.clock.time += after
        return (await self.loop.plan_pass())[0]

    async def live(self, minutes: float) -> None:
        for _ in range(int(minutes)):
            await self.plan(after=60.0)

    def status(self, key: Key = LLAMA) -> dict[str, Any]:
        return self.cluster.statuses[key]

    def condition(self, kind: str, key: Key = LLAMA) -> dict[str, Any]:
        return next(item for item in self.status(key)["conditions"] if item["type"] == kind)


def world(**changes: Any) -> World:
    source = SourceSettings("default", "http://prometheus:9090")
    usual: dict[str, Any] = {
        "backfill_s": 1200.0,
        "cold_start_sigma": 0.01,
        "writes_per_s": 1e6,
        "cold_start_median_s": 60.0,
    }
    return World(Settings({"default": source}, "test", cache=Path("/nowhere"), **usual | changes))
