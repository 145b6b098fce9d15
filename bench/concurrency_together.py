"""GPU-hours at a matched promise: replicas by an autoscaler and the concurrency limit by a tuner, together. Simulated.

    python bench/concurrency_together.py          # runs what is missing, then writes the page: a quarter of an hour
    python bench/concurrency_together.py --page   # writes the page from what is there

Each cell, one traffic under one autoscaler, is kept as JSON under docs/benchmarks/concurrency-together.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from concurrency_together_page import write_page

from foretide.forecaster.ladder import Ladder
from foretide.policies.concurrency.limit_rule import KNATIVE_DEFAULT, VLLM_DEFAULT, Fixed, Rule
from foretide.policies.concurrency.safe_bayes import SafeBayes
from foretide.policies.concurrency.shield import Promise, Shield
from foretide.policies.concurrency.window import Bounds
from foretide.simulator.autoscaler import Autoscaler
from foretide.simulator.bench import prepare
from foretide.simulator.ground import OTHER_DAY, Ground, Part, lay_ground
from foretide.simulator.knative import Knative, KpaRules
from foretide.simulator.remeasured import Learned
from foretide.simulator.replay import foretide
from foretide.simulator.run import Bench
from foretide.simulator.scenario import load_scenario
from foretide.simulator.trial import Measured, measured
from foretide.simulator.tuned import step_model
from foretide.simulator.tuned_fleet import AtLimit, Freely, Guarded, InTime, Tuner, run_tuned

ROOT = Path(__file__).parents[1]
CELLS, CACHE = ROOT / "docs/benchmarks/concurrency-together", ROOT / "out/concurrency-together"
GENERATED, RECORDED = ("day", "crowd", "long-nights"), ("azure-conv",)
TRAFFIC = (*GENERATED, *RECORDED)
RECORDED_SEEDS = 3
"""Of a recorded trace: they change cold starts and the requests that a doubled rate adds, and little else."""
COLUMNS = ("gpu_hours", "requests", "kept")
BOUNDS = Bounds(4, VLLM_DEFAULT)
CANARIES = 6
"""Replicas that the shield takes a fleet to have, of which one is the canary."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An autoscaler, the settings of its knob, how many seeds, and the limit that its users have by default."""

    name: str
    settings: tuple[float, ...]
    seeds: int
    default: int
    arms: tuple[str, ...]


PLANS = (
    Plan("knative", (0.12, 0.25, 0.4, 0.55, 0.7, 0.85), 8, KNATIVE_DEFAULT, ("default", "n*", "in-time", "learn")),
    Plan("foretide", (0.005, 0.05, 0.4), 6, VLLM_DEFAULT, ("default", "n*", "in-time")),
)


def tuner_of(arm: str, plan: Plan, bench: Bench) -> Tuner:
    deployment, objective = bench.scenario.deployment, bench.scenario.objective
    assert objective.tpot is not None

    def rule() -> Rule:
        assert objective.tpot is not None
        return Rule(step_model(deployment), tpot_s=objective.tpot.threshold_s, bounds=BOUNDS)

    makers: dict[str, Callable[[], Tuner]] = {
        "default": lambda: Freely(Fixed(plan.default), BOUNDS),
        "n*": lambda: Freely(rule(), BOUNDS),
        "in-time": lambda: InTime(rule(), BOUNDS, begins_at=plan.default),
        "learn": lambda: Guarded(
            Shield(SafeBayes(rule(), bounds=BOUNDS), rule(), bounds=BOUNDS, promise=Promise(replicas=CANARIES))
        ),
    }
    return makers[arm]()


def scaled_by(
    plan: Plan, setting: float, bench: Bench, learned: Learned
) -> tuple[Bench, Autoscaler, Callable[[int], None]]:
    """The bench at this setting, a fresh autoscaler, and how it hears of a limit."""
    scenario = bench.scenario
    if plan.name == "knative":
        rules = KpaRules(float(plan.default), utilization=setting)
        knative = Knative(rules=rules, min_replicas=scenario.min_replicas, max_replicas=scenario.max_replicas)
        return bench, knative, knative.admit_at_most
    objective = replace(scenario.objective, max_violation_probability=setting)
    at_limit = AtLimit(learned, bench.service)
    bench = replace(bench, scenario=replace(scenario, objective=objective))
    return bench, foretide(bench, Ladder(season_s=scenario.pace.season_s), again=at_limit), at_limit.admit_at_most


def trial(plan: Plan, arm: str, setting: float, bench: Bench, learned: Learned) -> Measured:
    bench, policy, told = scaled_by(plan, setting, bench, learned)
    return measured(run_tuned(bench=bench, autoscaler=policy, tuner=tuner_of(arm, plan, bench), told=told), bench=bench)


def laid(name: str) -> tuple[Ground, Learned]:
    """What all runs of a traffic share, and the lengths that its service model was measured with."""
    scenario = load_scenario(ROOT / f"docs/scenarios/together-{name}.yaml")
    ground = lay_ground(scenario, seed=0, cache=CACHE)
    generated = ground.recorded is None
    learned = prepare(ground.scenario, seed=OTHER_DAY if generated else 0, cache=CACHE).learned
    assert learned is not None
    return ground, learned


def plans_of(traffic: str) -> tuple[Plan, ...]:
    """The recorded trace runs under Knative alone, to keep the whole within a quarter of an hour of one core."""
    if traffic in GENERATED:
        return PLANS
    return tuple(replace(plan, seeds=RECORDED_SEEDS) for plan in PLANS if plan.name == "knative")


def completed(path: Path, ground: Ground, plan: Plan, learned: Learned) -> dict[str, Any]:
    """The cell with the settings that are not in it yet: arrays (settings, seeds, blocks) of each arm."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"settings": [], "arms": {}}
    rows = {
        (arm, setting): {name: columns[name][place] for name in COLUMNS}
        for arm, columns in known["arms"].items()
        for place, setting in enumerate(known["settings"])
    }
    left = [setting for setting in plan.settings if setting not in known["settings"]]
    runs: dict[tuple[str, float], list[Measured]] = {(arm, setting): [] for arm in plan.arms for setting in left}
    for seed in range(plan.seeds):
        bench = ground.bench(Part.EVALUATION, seed)
        for (arm, setting), found in runs.items():
            found.append(trial(plan, arm, setting, bench, learned))
    for which, found in runs.items():
        rows[which] = {name: np.round([getattr(run, name) for run in found], 5).tolist() for name in COLUMNS}
    arms = {
        arm: {name: [rows[arm, setting][name] for setting in plan.settings] for name in COLUMNS} for arm in plan.arms
    }
    return {"settings": plan.settings, "within": ground.recorded is not None, "arms": arms}


def is_complete(path: Path, plan: Plan) -> bool:
    return path.exists() and set(plan.settings) <= set(json.loads(path.read_text(encoding="utf-8"))["settings"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="run nothing, write the page from what is there")
    fresh = not parser.parse_args().page
    CELLS.mkdir(parents=True, exist_ok=True)
    for name in TRAFFIC if fresh else ():
        left = [plan for plan in plans_of(name) if not is_complete(CELLS / f"{name}--{plan.name}.json", plan)]
        if not left:
            continue
        began = time.process_time()
        ground, learned = laid(name)
        print(f"{name}: measured in {time.process_time() - began:.0f} s of one core", flush=True)
        for plan in left:
            began = time.process_time()
            path = CELLS / f"{name}--{plan.name}.json"
            path.write_text(
                json.dumps(completed(path, ground, plan, learned), separators=(",", ":")) + "\n", encoding="utf-8"
            )
            print(f"{path.stem}: {time.process_time() - began:.0f} s of one core", flush=True)
    write_page(CELLS, wanted={(name, plan.name): plan.settings for name in TRAFFIC for plan in plans_of(name)})


if __name__ == "__main__":
    main()
