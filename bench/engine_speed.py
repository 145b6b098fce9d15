"""docs/benchmarks/engine-speed.md: what it is worth to learn how fast the replicas really are.

    python bench/engine_speed.py run [--seeds N]
    python bench/engine_speed.py page

Foretide on simulated fleets whose steps take other times than the profile says, with what it learns and without: from
the first moment (known factors, to see whether they are found), and by a silent slow-down, or with longer answers, in
the middle of a run. Cells that exist beside the page are kept.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from foretide.forecaster.ladder import Ladder
from foretide.simulator.bench import prepare
from foretide.simulator.conditions import Conditions
from foretide.simulator.faults import Slowdown
from foretide.simulator.replay import foretide
from foretide.simulator.run import run_policy
from foretide.simulator.scenario import Scenario, load_scenario
from foretide.simulator.score import jointly, met
from foretide.simulator.summary import figures

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/benchmarks/engine-speed.md"
OUT = PAGE.with_suffix("")
CACHE = Path("~/.cache/foretide/capacity").expanduser()
FACTORS = (0.8, 1.0, 1.1, 1.3, 1.6)
SHIFTS = {
    "stress-slowdown": "every step 1.3 times as long from minute 30 to 60",
    "stress-output-shift": "answers three times as long from minute 60 on",
}
ARMS = ("learning", "not learning")
Cell = dict[str, Any]
SETTLED_S = 600.0
"""From here on, what was learned is held against the truth."""

HEAD = """# Learning how fast the replicas are (simulated)

Written by `python bench/engine_speed.py page`; do not edit.

Foretide's own decision, with the capacity of Llama-3.1-8B on H100 by its profile, on simulated fleets whose every step
takes another time than the profile says. TTFT 500 ms and TPOT 25 ms at the 99th percentile, accepted risk 1 %,
start-up about 80 s, a generated day in 90 minutes (120 for longer answers), {seeds} seeds. Hours are GPU-hours, with
them the share of requests within both objectives: the mean over seeds, the worst seed in brackets. `learning` also
measures capacity again, a minute after it is asked for, where requests of late have other lengths; `not learning`
trusts the profile, and the lengths before the run.

## From the first moment

What plans assumed from minute {settled:.0f} on, against the truth; `interval` is how often the 90 % interval held it.

| true factor | learned | bias | spread | interval | learning | not learning |
|---|---|---|---|---|---|---|
{factors}

## In the middle of a run

Nothing announces the change. The worst minute of the run; the share of the five minutes from the change on, then of
what is left of it.

| change | arm | whole run | worst minute | first 5 min, then |
|---|---|---|---|---|
{shifts}
"""


def cases() -> Iterator[tuple[str, Scenario, float | None]]:
    """Name of a case -> its scenario and the true factor over the whole run, None where it changes."""
    calm = load_scenario(ROOT / "docs/scenarios/stress-slowdown.yaml")
    for factor in FACTORS:
        slow = Conditions(faults=(Slowdown(at=0.0, factor=factor),))
        yield f"factor-{factor}", replace(calm, name=f"factor-{factor}", conditions=slow), factor
    for name in SHIFTS:
        yield name, load_scenario(ROOT / f"docs/scenarios/{name}.yaml"), None


def cell(scenario: Scenario, *, arm: str, seed: int) -> Cell:
    """One run: the usual figures, the joint attainment by minute, and the factor that each plan assumed."""
    bench = prepare(scenario, seed=seed, cache=CACHE)
    if arm != "learning":
        bench = replace(bench, service=replace(bench.service, steps=None), learned=None)
    run = run_policy(bench=bench, autoscaler=foretide(bench, Ladder(season_s=scenario.pace.season_s)))
    kept = jointly(met(outcome=run.outcome, objective=scenario.objective))
    minute = (np.asarray(run.outcome.arrival_s) // 60).astype(int)
    share = [float(kept[minute == each].mean()) if (minute == each).any() else None for each in range(minute.max() + 1)]
    told = [(asked.at, asked.choice.evidence.service.speed()) for asked in run.asked if asked.choice.planned]
    found = figures(run=run, bench=bench)
    wanted = ("gpu_hours", "requests", "attainment", "window_attainment", "scale_actions")
    return {name: found[name] for name in wanted} | {"minutes": share, "speed": told}


def run(options: argparse.Namespace) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for name, scenario, _ in cases():
        for seed in range(options.seeds):
            for arm in ARMS:
                path = OUT / f"{name}--{arm.replace(' ', '-')}--{seed}.json"
                if not path.exists():
                    path.write_text(json.dumps(cell(scenario, arm=arm, seed=seed)), encoding="utf-8")
                    print(path.stem, flush=True)


def cells(name: str, arm: str) -> list[Cell]:
    found = sorted(OUT.glob(f"{name}--{arm.replace(' ', '-')}--*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in found]


def joint(found: Cell) -> float:
    return float(found["attainment"]["joint"])


def factor_lines() -> Iterator[str]:
    """Per true factor: what was learned, its spread, how often the interval held the truth; hours and promise."""
    for name, _, factor in cases():
        learned, blind = (cells(name, arm) for arm in ARMS)
        if factor is None or not learned:
            continue
        settled = np.array([told for one in learned for at, told in one["speed"] if at >= SETTLED_S])
        held = np.mean((settled[:, 1] <= factor) & (factor <= settled[:, 2]))
        ratios = settled[:, 0] / factor
        found = f"{settled[:, 0].mean():.3f} | {100 * (ratios.mean() - 1):+.1f} % | {100 * ratios.std():.1f} %"
        yield f"| {factor} | {found} | {100 * held:.0f} % | {told_of(learned)} | {told_of(blind)} |"


def told_of(found: list[Cell]) -> str:
    hours, kept = np.array([(one["gpu_hours"], joint(one)) for one in found]).T
    return f"{hours.mean():.2f} h, {100 * kept.mean():.2f} % ({100 * kept.min():.2f})"


def shift_lines() -> Iterator[str]:
    for name, words in SHIFTS.items():
        for arm in ARMS:
            found = cells(name, arm)
            if found:
                worst = 100 * np.mean([min(part for part in one["minutes"] if part is not None) for one in found])
                yield f"| {words} | {arm} | {told_of(found)} | {worst:.1f} % | {after(name, found)} |"


def after(name: str, found: list[Cell]) -> str:
    """Joint attainment of the five minutes from the change on, then of the rest of it."""
    begins, ends = (30, 60) if name == "stress-slowdown" else (60, None)
    parts = [[part for part in one["minutes"][begins:ends] if part is not None] for one in found]
    first, rest = (100 * np.mean([np.mean(part[cut]) for part in parts]) for cut in (slice(5), slice(5, None)))
    return f"{first:.1f} %, then {rest:.2f} %"


def page(_: argparse.Namespace) -> None:
    seeds = len(cells("factor-1.0", "learning"))
    tables = {"factors": "\n".join(factor_lines()), "shifts": "\n".join(shift_lines())}
    text = HEAD.format(seeds=seeds, settled=SETTLED_S / 60, **tables)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run")
    running.add_argument("--seeds", type=int, default=3)
    running.set_defaults(do=run)
    commands.add_parser("page").set_defaults(do=page)
    chosen = parser.parse_args()
    chosen.do(chosen)
