import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from foretide.cli import demo
from foretide.cli.report import Story
from foretide.cli.view import PlainView
from foretide.policies.flow import CapacityTable, ServiceModel, WorkPerUnit
from foretide.simulator.bench import history_before
from foretide.simulator.generate import WorkloadShape, generate
from foretide.simulator.replay import Replay
from foretide.simulator.run import Bench
from foretide.simulator.scenario import Pace

DAY_S = 1500.0


def small_bench(*, seed: int = 3) -> Bench:
    """The demo's scenario in small: minutes instead of hours, with a capacity that needs no measuring."""
    shape = WorkloadShape(mean_rps=16.0, day_s=DAY_S)
    scenario = replace(demo.scenario(), source=shape, pace=Pace(season_s=DAY_S), max_replicas=8)
    return Bench(
        scenario=scenario,
        trace=generate(shape, seed=seed),
        past=None,
        begins_s=0.0,
        service=ServiceModel(
            work=WorkPerUnit(0.0, 5e-5, 1.4e-4),
            capacity=CapacityTable((1, 8), (0.54, 0.63), ("tpot", "tpot")),
            source="given by the test",
            waiting_work_s=0.085,
        ),
        initial=3,
        seed=seed,
        history=history_before(scenario, None, begins_s=0.0, seed=seed),
    )


def raced(bench: Bench) -> tuple[Replay, str]:
    """What the demo found, and the lines it wrote meanwhile."""
    console = Console(file=io.StringIO(), width=80)
    runs = demo.race(bench, view=PlainView(console, every_s=300.0), pace=lambda _: None)
    assert isinstance(console.file, io.StringIO)
    return demo.found_of(bench, runs, seconds=1.5), console.file.getvalue()


@pytest.fixture(scope="session")
def bench() -> Bench:
    return small_bench()


@pytest.fixture(scope="session")
def race(bench: Bench) -> tuple[Replay, str]:
    return raced(bench)


@pytest.fixture
def race_again() -> Callable[[], Replay]:
    """The same race from the very beginning."""
    return lambda: raced(small_bench())[0]


@pytest.fixture(scope="session")
def found(race: tuple[Replay, str]) -> Replay:
    return race[0]


@pytest.fixture(scope="session")
def story(found: Replay) -> Story:
    return demo.story_of(found, again="foretide demo --seed 3")
