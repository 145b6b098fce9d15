"""docs/benchmarks/many-targets.md: what one round over many targets costs, in one process.

    python bench/many_targets.py [TARGETS]

The shipped loop, reading, ladder, guardrails, status and telemetry on in-memory twins of cluster and Prometheus: no
HTTP, no JSON, no API server. Processor time, because machines are shared. Exit status 1 where the target is missed.
"""

import asyncio
import copy
import gc
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from shell import World, world
from twins import START, engine, resource

from foretide.forecaster.ladder import Ladder
from foretide.operator.forecast_telemetry import _TARGET, ForecastTelemetry
from foretide.operator.journals import NoJournal
from foretide.operator.look import Looker
from foretide.operator.rehearsals import SAVED_S, Rehearsals
from foretide.operator.seams import Key
from foretide.operator.signals import PodSeries
from foretide.policies.flow import DemandHistory, Trust, frozen

PAGE = Path(__file__).parents[1] / "docs/benchmarks/many-targets.md"
SHAPES, STEP_S, DAY_ROWS, PODS, ROUNDS = 10, 30.0, 2880, 2, 5
WANTED, ROUND_S, MEMORY_MB = 5000, 15.0, 500.0


def demand(seed: int) -> DemandHistory:
    """A day's wave with Poisson noise, of its own size and hour."""
    rng = np.random.default_rng(seed)
    at = np.arange(DAY_ROWS) * STEP_S
    wave = rng.uniform(5, 15) * (1 + 0.6 * np.sin(2 * np.pi * (at / 86400 + rng.uniform())))
    rate = rng.poisson(wave * STEP_S) / STEP_S
    values = frozen(np.column_stack([rate, 1000 * rate, 200 * rate]))
    return DemandHistory(START - DAY_ROWS * STEP_S, STEP_S, values, Trust.FRESH)


def ladders(histories: list[DemandHistory]) -> list[Ladder]:
    """One rehearsed ladder per shape."""
    made = [Ladder() for _ in histories]
    for ladder, history in zip(made, histories, strict=True):
        ladder.forecast(history=history.first_rows(DAY_ROWS - 1), horizon=8, paths=256, seed=0)
    return made


def fleet(count: int, new: Callable[[int], Ladder], histories: list[DemandHistory]) -> World:
    """`count` targets with a day behind them, all in one namespace."""
    found = world(season_s=86400.0)
    found.journal = NoJournal()  # type: ignore[assignment]  # the product's default keeps none
    numbers = {Key("prod", f"t{i:04d}"): i for i in range(count)}
    found.new_forecaster = lambda key: new(numbers[key] % SHAPES)
    found.begin_a_life()
    for key, number in numbers.items():
        found.cluster.replicas[key.name] = PODS
        found.registry.see(resource(key.name))
        rate = float(histories[number % SHAPES].values[-1, 0])
        for pod in range(PODS):
            name = f"{key.name}-{pod}"
            found.metrics.engines["prod", name] = engine(rate=rate / PODS, start=START - 1800, end=START + 1800)
    for entry in found.registry.entries():
        target = found.targets.of(entry, now=START)
        target.history, target.past_read = histories[numbers[entry.key] % SHAPES], True
    return found


def seconds(found: World, rounds: int) -> list[float]:
    """Processor seconds of each round, a minute apart."""

    async def run() -> list[float]:
        spent = []
        for _ in range(rounds):
            found.clock.time += 60.0
            begun = time.process_time()
            await found.loop.plan_pass()
            spent.append(time.process_time() - begun)
        return spent

    return asyncio.run(run())


@contextmanager
def as_before() -> Iterator[None]:
    """The parts as they were: everything looked through for each target, and a record made that nobody keeps."""
    old = (PodSeries.of, Looker.look, ForecastTelemetry.count, NoJournal.keeps)

    def of(self: PodSeries, namespace: str, pods: Any) -> Any:
        told = {pod: samples for (space, pod), samples in self.pods.items() if space == namespace}
        return {pod: samples for pod, samples in told.items() if self.preset.gateway or pod in pods}

    async def look(self: Looker, one: Any) -> Any:
        others = [entry.resource for entry in self._registry.entries() if entry.resource is not None]
        for other in others:
            _ = other.key != one.key and other.key.namespace == one.key.namespace and other.pool == one.pool
        return await old[1](self, one)

    def count(self: ForecastTelemetry, labels: Any, forecast: Any) -> None:
        for gauge in {gauge for gauge, _ in self._told.get(labels, {})}:
            gauge.remove_by_labels(dict(zip(_TARGET, labels, strict=True)))
        self._told.pop(labels, None)
        old[2](self, labels, forecast)

    PodSeries.of, Looker.look, ForecastTelemetry.count, NoJournal.keeps = of, look, count, True  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        PodSeries.of, Looker.look, ForecastTelemetry.count, NoJournal.keeps = old  # type: ignore[method-assign, assignment]


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def steady(count: int, *, before: bool) -> tuple[list[float], float]:
    """Rounds of rehearsed targets, and MB of memory per thousand of them."""
    histories = [demand(seed) for seed in range(SHAPES)]
    rehearsed = ladders(histories)
    gc.collect()
    empty = resident_mb()
    found = fleet(count, lambda shape: copy.deepcopy(rehearsed[shape]), histories)
    with as_before() if before else nullcontext():
        spent = seconds(found, ROUNDS)
    gc.collect()
    return spent[1:], 1000 * (resident_mb() - empty) / count


def first(count: int, *, limited: bool) -> float:
    """Processor seconds of the first round of a life, with and without a limit on rehearsals."""
    histories = [demand(seed) for seed in range(SHAPES)]
    rehearse = {"rehearse": Rehearsals()} if limited else {}
    return seconds(fleet(count, lambda _: Ladder(**rehearse), histories), 1)[0]


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rows, found = [], {}
    for size in (count // 5, count):
        for name, before in (("before", True), ("now", False)):
            spent, memory = steady(size, before=before)
            found[size, name] = spent
            p50, worst = np.median(spent), max(spent)
            print(size, name, spent, memory, flush=True)
            rows.append(
                f"| {size} | {name} | {p50:.2f} s | {worst:.2f} s | {1000 * p50 / size:.1f} ms | {memory:.0f} MB |"
            )
    few = 20
    begun = first(few, limited=False), first(count, limited=True)
    now, was = np.median(found[count, "now"]), np.median(found[count, "before"])
    told = WANTED * now / count
    kept = told <= ROUND_S
    PAGE.write_text(
        TEXT.format(
            python=platform.python_version(), count=count, rounds=ROUNDS - 1, rows="\n".join(rows), ratio=was / now,
            told=told, wanted=WANTED, round_s=ROUND_S, verdict="kept" if kept else "missed", few=few,
            first_few=begun[0], each=1000 * begun[0] / few, first_many=begun[1], saved=SAVED_S, pods=PODS,
            memory_mb=MEMORY_MB, hour=WANTED * begun[0] / few / 3600,
        ),
        encoding="utf-8",
    )  # fmt: skip
    print(PAGE.read_text(encoding="utf-8"))
    return 0 if kept else 1


TEXT = """# Many targets: what a round costs

Written by `python bench/many_targets.py {count}`; do not edit.

One process, the shipped loop with the ladder, guardrails, status and telemetry, on in-memory twins of the
cluster and of Prometheus: what HTTP, JSON and the API server cost comes on top and is not measured here. Python
{python}, processor time. Each target has {pods} pods and a day of simulated demand by 30 s behind it; rounds
are a minute of virtual time apart; median and worst of {rounds} rounds. "before" does what the version before
did, in the same run: each target looked through all pods, all resources and all series of the metrics page, and
a journal record was made that nobody kept.

| targets | | a round, median | worst | per target | memory per 1,000 targets |
|---|---|---|---|---|---|
{rows}

At {count} targets a round was {ratio:.2f} times as long before. **Target: {wanted:,} targets in {round_s:.0f} s
of one core, under {memory_mb:.0f} MB. {verdict}**: by what a target costs here, {wanted:,} would take
{told:.0f} s (reckoned, not run). What is left is the forecast itself: seven models are asked, drawn from and
scored, for each target.

## The first round of a life

A forecaster rehearses its target's past once: {each:.0f} ms each ({few} targets: {first_few:.1f} s), {hour:.1f}
hours of one core for {wanted:,}. Before, that was the length of the first round, and where it took longer than
four minutes the watchdog ended the process within it, again and again. Now rehearsals take at most {saved:.0f}
s at once and a quarter of a core after that; who waits is served by the flagged fallback, which raises no
further than measured demand asks. The first round of {count} targets: {first_many:.1f} s.

## Limits that stand

- A source is asked one question per round, and its answer may have 8 MiB and 200,000 samples at most. Beyond
  that, name the same Prometheus as several sources and let resources name theirs.
- Each target's `/scale` and pods are read from the API server, two requests per target and round.
"""

if __name__ == "__main__":
    sys.exit(main())
