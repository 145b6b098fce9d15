"""Days of the operator's loop in virtual time: one target that lives under noisy demand, and what the process becomes.

The shipped loop, forecaster and all, on twins of clock, cluster and Prometheus. Twins forget what they need no more, so
that what grows is the operator's.
"""

import asyncio
import gc
import os
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import cos, exp, pi
from pathlib import Path
from typing import Any

import numpy as np
from living import PER_REPLICA, Life
from shell import world
from twins import resource

from foretide.forecaster.ladder import Ladder

HOUR_S = 3600.0
PLAN_S, RELIEF_S = 60.0, 30.0
FLAP_S = 1800.0
"""At most one change of direction within this time."""
BASE = 45.0
"""Requests/s in the mean, for replicas of ten each."""
DAY_S, CROWD_S = 86400.0, 4 * HOUR_S
SHAPES: dict[str, Callable[[float], float]] = {
    "steady": lambda _: 1.0,
    "diurnal": lambda at: 1.0 - 0.6 * cos(2 * pi * at / DAY_S),
    "crowd": lambda at: 1.0 + (4.0 * exp(-(at % CROWD_S) / 600.0) if at >= CROWD_S else 0.0),
}
"""Demand over BASE at each second: a crowd comes every four hours, within a minute, and is gone after some thirty."""
NO_REGRET_S = 1.0
"""A season for the loop, not for its forecaster: of it, no lowering is ever regretted."""


@dataclass(frozen=True, slots=True)
class Hour:
    """After so many virtual hours."""

    hours: int
    bytes: int
    """Of Python's memory, as tracemalloc counts it; 0 where it does not."""
    resident: int
    """Bytes of memory that the process holds."""
    blocks: int
    """What Python has allocated, in pieces."""
    tasks: int
    descriptors: int
    replicas: int


@dataclass
class Soak:
    """Demand is drawn anew every minute within `noise` of its mean; `window_s` is what a lower count has to stand."""

    noise: float = 0.2
    seed: int = 0
    window_s: int = 120
    shape: str = "steady"
    regret: bool = True
    traced: bool = False
    """Whether memory is counted, which takes time."""
    hours: list[Hour] = field(default_factory=list)
    writes: list[tuple[float, int]] = field(default_factory=list)
    """(virtual second, count)."""
    events: dict[str, int] = field(default_factory=dict)
    asked: float = 0.0
    """Requests, and those of them that came while the ready replicas carried all that came."""
    carried: float = 0.0
    replica_s: float = 0.0

    async def run(self, hours: int) -> None:
        season_s = DAY_S if self.regret else NO_REGRET_S
        life = Life(rate=BASE * SHAPES[self.shape](0.0), replicas=6, world=world(first_life_s=600.0, season_s=season_s))
        _as_shipped(life, self.window_s)
        rng, began = np.random.default_rng(self.seed), life.now
        if self.traced:
            tracemalloc.start()
        try:
            for hour in range(1, hours + 1):
                await self._hour(life, rng, began)
                self.hours.append(_measured(hour, life))
        finally:
            tracemalloc.stop()

    async def _hour(self, life: Life, rng: np.random.Generator, began: float) -> None:
        for _ in range(int(HOUR_S / PLAN_S)):
            life.rate = BASE * SHAPES[self.shape](life.now - began) * (1.0 + rng.uniform(-self.noise, self.noise))
            for _ in range(int(PLAN_S / RELIEF_S) - 1):
                self._pass(life)
                await life.world.loop.relief_pass()
            self._pass(life)
            await life.world.loop.plan_pass()
            self._take(life, began)

    def _pass(self, life: Life) -> None:
        life.pass_time(RELIEF_S)
        ready = sum(engine.ready_at <= life.now - RELIEF_S for engine in life.there.values())
        self.asked += life.rate * RELIEF_S
        self.carried += life.rate * RELIEF_S * (life.rate <= ready * PER_REPLICA)
        self.replica_s += len(life.there) * RELIEF_S

    def _take(self, life: Life, began: float) -> None:
        """Moves what the twins noted over here, and lets them forget."""
        cluster = life.world.cluster
        self.writes += [(life.now - began, count) for _, count in cluster.writes]
        for event in cluster.events:
            self.events[event["reason"]] = self.events.get(event["reason"], 0) + 1
        cluster.writes.clear()
        cluster.events.clear()
        cluster.annotations.clear()
        life.world.journal.records.clear()
        life.world.metrics.asked.clear()
        life.rates.clear()
        for name, engine in list(life.engines.items()):
            del engine.rows[:-400]
            if engine.gone and (not engine.rows or engine.rows[-1][0] < life.now - HOUR_S):
                del life.engines[name]

    def turns(self) -> list[float]:
        """When the count changed its direction."""
        counts = [6, *(count for _, count in self.writes)]
        ways = np.sign(np.diff(counts))
        return [at for (at, _), before, after in zip(self.writes[1:], ways, ways[1:], strict=False) if before != after]

    def most_turns(self, *, within_s: float = FLAP_S) -> int:
        """The most changes of direction within any stretch of that length."""
        turns = np.array(self.turns())
        return max((int(((turns >= at) & (turns < at + within_s)).sum()) for at in turns), default=0)


def _as_shipped(life: Life, window_s: int) -> None:
    body = resource(behavior={"scaleDown": {"stabilizationWindowSeconds": window_s}})
    life.world.registry.see(body | {"metadata": body["metadata"] | {"generation": 2}})
    targets = life.world.loop._parts.targets
    targets._new_forecaster = lambda _: Ladder(season_s=DAY_S)


def _measured(hour: int, life: Life) -> Hour:
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    resident = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * _page()
    return Hour(hour, used, resident, sys.getallocatedblocks(), len(asyncio.all_tasks()), descriptors, life.desired)


def _page() -> int:
    return os.sysconf("SC_PAGE_SIZE")


def soaked(hours: int, **settings: Any) -> Soak:
    """A whole run."""
    soak = Soak(**settings)
    asyncio.run(partial(soak.run, hours)())
    return soak
