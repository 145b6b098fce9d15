"""A fleet to show on the web page: targets of the shipped loop on twins, with forecasts of the shipped ladder."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from shell import World, world
from twins import START, resource

from foretide.forecaster.ladder import Ladder
from foretide.operator.page.record import Decisions
from foretide.operator.page.view import Life, Window
from foretide.operator.seams import Key
from foretide.policies.flow import DemandForecast, DemandHistory, Trust, frozen

STEP_S = 30.0
NAMES = ("llama", "mistral", "qwen", "embed")


@dataclass
class Shown:
    """A world whose decisions the page hears of."""

    world: World
    decisions: Decisions
    window: Window
    rounds: int = 0
    swept_at: float = START

    async def round(self, *, after: float = 0.0) -> None:
        self.world.clock.time += after
        await self.world.loop.plan_pass()
        self.rounds, self.swept_at = self.rounds + 1, self.world.clock.time


def shown(*, leads: bool = True, **settings: Any) -> Shown:
    """A world without any target yet."""
    found = world(**settings)
    decisions = Decisions(found.registry)
    found.decided = decisions.take
    found.begin_a_life()
    life = Life(
        identity="foretide-operator-0",
        version="0.1.0",
        leads=lambda: leads,
        rounds=lambda: one.rounds,
        round_age_s=lambda: found.clock.time - one.swept_at,
        plan_s=found.settings.plan_s,
    )
    known = found.targets.known
    window = Window(registry=found.registry, known=known, decisions=decisions, life=life, clock=found.clock)
    one = Shown(found, decisions, window)
    return one


async def fleet(*, names: tuple[str, ...] = NAMES, origins: int = 1) -> Shown:
    """Targets at work, one whose Deployment is gone, and one whose spec was never acceptable."""
    found = shown()
    for index, name in enumerate(names):
        found.world.deploy(name, replicas=2 + index, model=f"{name}-8B", mode=("Auto", "Recommend")[index % 2])
        found.world.serve(8.0 + 9.0 * index, name=name, pods=2 + index)
    found.world.deploy("gone", replicas=1)
    del found.world.cluster.replicas["gone"]
    found.world.registry.see(resource("wrong", objective={"ttft": {"percentile": 900, "threshold": "500"}}))
    for _ in range(3):
        await found.round(after=60.0)
    for index, name in enumerate(names):
        _foreseen(found, Key("prod", name), rate=8.0 + 9.0 * index, seed=index, origins=origins)
    return found


def _foreseen(found: Shown, key: Key, *, rate: float, seed: int, origins: int) -> None:
    target = found.world.targets.known(key)
    assert target is not None
    target.history, target.forecast = demand(rate, seed=seed, now=found.world.clock.now(), origins=origins)


@cache
def demand(rate: float, *, seed: int, now: float, origins: int) -> tuple[DemandHistory, DemandForecast | None]:
    """Two hours of simulated demand around `rate` requests/s, with a gap, and the last of `origins` forecasts of it."""
    rng = np.random.default_rng(seed)
    rows = 240
    wave = rate * (1 + 0.35 * np.sin(np.arange(rows) / 38.0 + seed))
    requests = rng.poisson(wave * STEP_S) / STEP_S
    values = np.stack([requests, 900 * requests, 180 * requests], axis=1)
    whole = DemandHistory(now - rows * STEP_S, STEP_S, frozen(values), Trust.FRESH)
    forecaster, forecast = Ladder(season_s=86400.0), None
    for count in range(rows - origins + 1, rows + 1):
        forecast = forecaster.forecast(history=whole.first_rows(count), horizon=40, paths=256, seed=count)
    values[-70:-62] = np.nan
    return replace(whole, values=frozen(values)), forecast


__all__ = ["START", "Shown", "demand", "fleet", "shown"]
