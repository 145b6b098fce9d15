"""What is compared in closed loop: traffics, and arms that share Foretide's decision or none of it.

What is NOT promised: that the perfect forecast is the best input to the decision. It knows every bin's arrivals; what
the decision makes of them, and how bins are served, is the same as for everybody.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from foretide.forecaster.ladder import Ladder
from foretide.forecaster.network import shipped
from foretide.forecaster.network.pool import Pool
from foretide.forecaster.network.schema import HEADS
from foretide.forecaster.network.session import opened
from foretide.forecaster.network.tier import NetworkTier
from foretide.policies.flow import (
    DemandForecast,
    DemandHistory,
    Floats,
    Forecaster,
    ScalingPolicy,
    ScalingRules,
    Trust,
    frozen,
)
from foretide.simulator.autoscaler import Autoscaler
from foretide.simulator.field import rival
from foretide.simulator.fleet import StartTier
from foretide.simulator.ground import Part
from foretide.simulator.knobs import Knob, Scale, turned
from foretide.simulator.replay import foretide
from foretide.simulator.rivals import demand_rows
from foretide.simulator.run import Bench
from foretide.simulator.scenario import RequestFile, Scenario, load_scenario, read_recorded

ROOT = Path(__file__).parents[1]
SIGMA = 0.3
RISK = Knob("maxViolationProbability", 0.001, 0.95, Scale.LOGIT)
HEADROOM = Knob("headroom", 0.5, 3.0)
QUICK_DOWN = ScalingRules(0.0, (ScalingPolicy("Percent", 100, 15.0),))

Build = Callable[[Bench, float], tuple[Bench, Autoscaler]]
"""A bench and a setting in; the bench with the knob turned and a fresh autoscaler out."""


@dataclass(frozen=True, slots=True)
class Arm:
    """`told` is one line for readers; `knob` is what is tuned."""

    name: str
    told: str
    knob: Knob
    build: Build
    like: str = ""
    """The arm of which it is a variant; its settings are tried around that one's crossing."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """A scenario of docs/scenarios, cut and with its past; `past_s` of recorded requests come before the cut."""

    name: str
    file: str
    told: str
    scale_rate: float | None = None
    start_s: float = 0.0
    duration_s: float | None = None
    past_s: float = 0.0
    calm: bool = False
    generated: bool = False
    """Every seed is a trace of its own."""

    def scenario(self, start_up_s: float) -> Scenario:
        scenario = load_scenario(ROOT / "docs/scenarios" / self.file)
        source = scenario.source
        if isinstance(source, RequestFile) and self.scale_rate is not None:
            source = replace(source, scale_rate=self.scale_rate, start_s=self.start_s, duration_s=self.duration_s)
        stress = () if self.calm else scenario.stress
        return replace(scenario, source=source, stress=stress, cold_start=StartTier(start_up_s, SIGMA))

    def with_history(self, bench: Bench, part: Part) -> Bench:
        """The bench with the recorded demand of `past_s` before the cut, in front of what it knows already."""
        source, step = bench.scenario.source, bench.scenario.pace.step_s
        if not self.past_s or not isinstance(source, RequestFile):
            return bench
        rows = earlier_rows(replace(source, start_s=source.start_s - self.past_s, duration_s=self.past_s), step)
        known = bench.history.values if bench.history is not None and part is Part.EVALUATION else np.empty((0, 3))
        values = frozen(np.concatenate([source.scale_rate * rows, known]))
        return replace(bench, history=DemandHistory(-step * len(rows), step, values, Trust.FRESH))


@cache
def earlier_rows(source: RequestFile, step: float) -> Floats:
    return demand_rows(read_recorded(source), start=0.0, end=float(source.duration_s or 0.0), step=step)


TRAFFIC = (
    Traffic(
        "azure-conv",
        "frontier-azure-conv.yaml",
        "Azure LLM inference trace 2023, conversation, at 6 times its rate: one recorded hour, no day before it",
    ),
    Traffic(
        "servegen-mlarge",
        "frontier-servegen-mlarge.yaml",
        "ServeGen m-large, reconstructed from published statistics, at twice that reconstruction's rate: three hours "
        "from 17:00 of its second day, with the 41 hours before them as history",
        scale_rate=2,
        start_s=41 * 3600.0,
        duration_s=3 * 3600.0,
        past_s=41 * 3600.0,
    ),
    Traffic(
        "servegen-mlarge-first",
        "frontier-servegen-mlarge.yaml",
        "the same from 17:00 of its first day, the hours of the frontier's page, with 17 hours before them as history",
        scale_rate=2,
        start_s=17 * 3600.0,
        duration_s=3 * 3600.0,
        past_s=17 * 3600.0,
    ),
    Traffic(
        "generated-day",
        "frontier-flash-crowd.yaml",
        "a generated day, compressed to an hour, without crowds, with three such days before it as history",
        calm=True,
        generated=True,
    ),
    Traffic(
        "flash-crowd",
        "frontier-flash-crowd.yaml",
        "the same day with the frontier's two flash crowds, which nothing announces",
        generated=True,
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Perfect:
    """A `Forecaster` that knows the arrivals of every bin of the run, times `headroom`; all paths are the same.

    Bins behind the end of the trace are like its last ten.
    """

    rows: Floats
    begins_s: float
    step: float
    headroom: float

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        del seed
        first = round((history.end - self.begins_s) / self.step)
        index = np.arange(first, first + horizon)
        usual = self.rows[-10:].mean(axis=0)
        ahead = np.where((index < len(self.rows))[:, None], self.rows[np.clip(index, 0, len(self.rows) - 1)], usual)
        every = np.broadcast_to(self.headroom * ahead, (paths, horizon, 3))
        return DemandForecast(history.end, self.step, frozen(np.array(every)), {"perfect": 1.0})


def perfect(bench: Bench, headroom: float) -> Perfect:
    step = bench.scenario.pace.step_s
    return Perfect(demand_rows(bench.trace, start=0.0, end=bench.duration_s, step=step), bench.begins_s, step, headroom)


def ladder(bench: Bench) -> Forecaster:
    return Ladder(season_s=bench.scenario.pace.season_s)


def uncalibrated(bench: Bench) -> Forecaster:
    return Ladder(season_s=bench.scenario.pace.season_s, calibration=False)


def with_network(bench: Bench) -> Forecaster:
    return Ladder(season_s=bench.scenario.pace.season_s, learned=(NetworkTier(pool(), bench.scenario.name),))


@cache
def pool() -> Pool:
    """The heads that ship, opened once: a pool keeps nothing of a target between two questions."""
    return Pool(opened(Path(shipped.__path__[0]), head) for head in HEADS)


Change = Callable[[Bench], Bench]


def as_it_is(bench: Bench) -> Bench:
    return bench


def at_risk(make: Callable[[Bench], Forecaster], change: Change = as_it_is) -> Build:
    """Foretide's decision on a forecaster; the accepted risk is the knob, as in the frontier."""

    def build(bench: Bench, value: float) -> tuple[Bench, Autoscaler]:
        bench = turned(change(bench), policy="foretide", knob=RISK, value=value)
        return bench, foretide(bench, make(bench))

    return build


def with_hindsight(change: Change = as_it_is) -> Build:
    """Foretide's decision on the perfect forecast; with one path there is no risk to accept, so demand has headroom."""

    def build(bench: Bench, value: float) -> tuple[Bench, Autoscaler]:
        bench = change(bench)
        return bench, foretide(bench, perfect(bench, value))

    return build


def of_rival(name: str, knob: Knob) -> Build:
    def build(bench: Bench, value: float) -> tuple[Bench, Autoscaler]:
        bench = turned(bench, policy=name, knob=knob, value=value)
        return bench, rival(name, bench)

    return build


def no_fast_pass(bench: Bench) -> Bench:
    pace = replace(bench.scenario.pace, relief_s=bench.scenario.pace.plan_s)
    return replace(bench, scenario=replace(bench.scenario, pace=pace))


def quick_down(bench: Bench) -> Bench:
    behavior = replace(bench.scenario.behavior, down=QUICK_DOWN)
    return replace(bench, scenario=replace(bench.scenario, behavior=behavior))


SLO_SCALE = Knob("slo_scale", 0.3, 5.0)
ARMS = (
    Arm("ladder", "as it ships: the ladder without a network", RISK, at_risk(ladder)),
    Arm("perfect", "every bin's arrivals known beforehand", HEADROOM, with_hindsight()),
    Arm("last-value", "reactive rival, through the same service model", HEADROOM, of_rival("last-value", HEADROOM)),
    Arm("wva", "reactive rival", SLO_SCALE, of_rival("wva", SLO_SCALE)),
    Arm("network", "the ladder with the shipped network as a learned tier", RISK, at_risk(with_network), "ladder"),
    Arm("uncalibrated", "the ladder without its calibration", RISK, at_risk(uncalibrated), "ladder"),
    Arm("ladder-no-fast-pass", "the ladder, plans alone", RISK, at_risk(ladder, no_fast_pass), "ladder"),
    Arm("perfect-no-fast-pass", "perfect forecast, plans alone", HEADROOM, with_hindsight(no_fast_pass), "perfect"),
    Arm("perfect-quick-down", "perfect forecast, no slow descent", HEADROOM, with_hindsight(quick_down), "perfect"),
)


def gone(bench: Bench, value: float) -> tuple[Bench, Autoscaler]:
    del bench
    raise SystemExit(f"an arm at {value:g} was run by an earlier commit; only its cells are kept")


BEFORE = (
    Arm("ladder-crowding-before", "the ladder with the crowding rule that the fast pass had", RISK, gone),
    Arm("perfect-crowding-before", "perfect forecast with that rule", HEADROOM, gone),
    Arm("ladder-before", "the ladder before its regression tier and calibration by default", RISK, gone),
    Arm("calibrated-before", "that ladder with its calibration", RISK, gone),
    Arm("network-before", "that ladder with the shipped network", RISK, gone),
    Arm("ladder-no-fast-pass-before", "that ladder, plans alone", RISK, gone),
)
"""Kept to compare with; they are not run again."""
