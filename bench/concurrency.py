"""The concurrency tuner against n*, defaults and the best static limit in hindsight. All of it is simulated.

    python bench/concurrency.py              # runs what is missing, then writes the page
    python bench/concurrency.py --page       # writes the page from what is there

Each cell, one set-up, is kept as JSON under docs/benchmarks/concurrency as soon as it is done. Settings were chosen on
the development set-ups and seeds from 100 on; reported are others, with seeds from 0 on. Remove the cells to run anew.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from concurrency_page import write_page

from foretide.policies.concurrency.limit_rule import KNATIVE_DEFAULT, VLLM_DEFAULT, Fixed, Rule
from foretide.policies.concurrency.network_agent import NetworkAgent
from foretide.policies.concurrency.qlearning import QLearning
from foretide.policies.concurrency.safe_bayes import SafeBayes
from foretide.policies.concurrency.shield import Outcome, Promise, Ruling, Shield
from foretide.policies.concurrency.standing import Standing
from foretide.policies.concurrency.window import Agent
from foretide.simulator.hostile import Chance, Flatterer
from foretide.simulator.limit_network import opened
from foretide.simulator.tuned import Setup, TunedReplica, step_model
from foretide.simulator.tuning import best_static, fleet_tally, run_agent, run_shielded, tally
from foretide.simulator.tuning_setups import DRIFTING, PAPER, setups

CELLS = Path(__file__).parents[1] / "docs/benchmarks/concurrency"
SEEDS, PAPER_SEEDS, HOSTILE_SEEDS, SEARCH_SEEDS = range(20), range(5), range(6), range(5)
PAPER_GRID = range(10, 311, 30)
DRIFT_GRID = (8, 12, 18, 25, 35, 48, 64, 80, 100, 130, 170, VLLM_DEFAULT)
HOSTILE = ("gateway-day-night", "autoscaled-day-night")
WRONG_NOTCH = 6
"""An adopted ratio of 1.77 to n*, which no trial would have let through."""
SHIELD_ONLY = Promise(loss_budget=0.0)
"""Never explores: the rule on the same three replicas."""


def rule(setup: Setup, *, margin: float = 1.0) -> Rule:
    return Rule(step_model(setup.deployment), tpot_s=setup.tpot_s, bounds=setup.bounds, margin=margin)


def agents(setup: Setup, best: int, *, seed: int) -> list[Agent]:
    """Everybody who runs without the shield."""
    return [
        rule(setup),
        rule(setup, margin=0.8),
        Fixed(KNATIVE_DEFAULT, name="default-100"),
        Fixed(best, name="best-static"),
        QLearning(seed=seed),
        SafeBayes(rule(setup), bounds=setup.bounds),
    ]


def shield(setup: Setup, agent: Agent, *, promise: Promise | None = None) -> Shield:
    return Shield(agent, rule(setup), bounds=setup.bounds, promise=promise)


def run_alone(setup: Setup, agent: Agent, *, seed: int) -> dict[str, Any]:
    windows = run_agent(agent, setup, seed=seed)
    whole = tally([(window, 1.0) for window in windows])
    curve = [window.goodput for window in windows]
    return {"goodput": whole.goodput, "attainment": whole.attainment, "curve": curve}


def run_fleet(setup: Setup, guard: Shield, *, seed: int) -> dict[str, Any]:
    turns = run_shielded(guard, setup, seed=seed)
    whole = fleet_tally(turns)
    rulings = {ruling.value: sum(turn.ruling == ruling for turn in turns) for ruling in Ruling}
    curve = [turn.tally.goodput for turn in turns]
    return {"goodput": whole.goodput, "attainment": whole.attainment, "curve": curve, "rulings": rulings}


def gathered(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of all seeds: figures one by one, the curve as their mean."""
    curves = np.array([row["curve"] for row in rows])
    found: dict[str, Any] = {name: [round(row[name], 6) for row in rows] for name in ("goodput", "attainment")}
    found["late"] = [round(float(curve[-50:].mean()), 6) for curve in curves]
    found["curve"] = [round(float(value), 5) for value in curves.mean(axis=0)]
    if "rulings" in rows[0]:
        found["rulings"] = [row["rulings"] for row in rows]
    return found


def compared(name: str, *, seeds: range, grid: tuple[int, ...] | range) -> dict[str, Any]:
    """All arms of one set-up."""
    setup = setups()[name]
    best, searched = best_static(setup, grid, seeds=SEARCH_SEEDS)
    rows: dict[str, list[dict[str, Any]]] = {}
    for seed in seeds:
        for agent in agents(setup, best, seed=seed):
            rows.setdefault(agent.name, []).append(run_alone(setup, agent, seed=seed))
        learner = SafeBayes(rule(setup), bounds=setup.bounds)
        for arm, guard in (
            ("fleet-rule", shield(setup, rule(setup), promise=SHIELD_ONLY)),
            ("shielded", shield(setup, learner)),
        ):
            rows.setdefault(arm, []).append(run_fleet(setup, guard, seed=seed))
    arms = {arm: gathered(found) for arm, found in rows.items()}
    return {"best": best, "searched": {str(limit): goodput for limit, goodput in searched.items()}, "arms": arms}


def networked(name: str, *, seeds: range) -> dict[str, Any]:
    """The shipped network, alone and under the shield, on the seeds of the other arms; a cell of its own."""
    setup, scores = setups()[name], opened()
    alone, fleets = [], []
    for seed in seeds:
        made = [NetworkAgent(scores, rule(setup), bounds=setup.bounds) for _ in range(2)]
        alone.append(run_alone(setup, made[0], seed=seed))
        fleets.append(run_fleet(setup, shield(setup, made[1]), seed=seed))
    arms = {"network": gathered(alone), "network-shielded": gathered(fleets)}
    return {"sha256": scores.card["sha256"], "arms": arms}


def hostile(name: str) -> dict[str, Any]:
    """The shield with agents that act at random or mean harm, beside n* on the same replicas."""
    setup = setups()[name]
    makers: dict[str, Callable[[int], Shield]] = {
        "fleet-rule": lambda _: shield(setup, rule(setup), promise=SHIELD_ONLY),
        "random": lambda seed: shield(setup, Chance(setup.bounds, seed=seed)),
        "always-most": lambda _: shield(setup, Fixed(setup.bounds.most)),
        "always-least": lambda _: shield(setup, Fixed(setup.bounds.least)),
        "flatterer": lambda _: shield(setup, Flatterer(rule(setup), setup.bounds)),
    }
    arms = {
        arm: gathered([run_fleet(setup, make(seed), seed=seed) for seed in HOSTILE_SEEDS])
        for arm, make in makers.items()
    }
    return {"arms": arms}


def rollbacks(name: str) -> dict[str, Any]:
    """Windows until n* is back after a limit that does harm has been adopted, however that came about."""
    setup = setups()[name]
    waited: list[int | None] = []
    for seed in SEEDS:
        guard = shield(setup, rule(setup))
        fleet, control = (TunedReplica(setup, seed=seed + role * 1_000_003) for role in range(2))
        seen = None
        for _ in range(4):  # until lengths are known and the batch is full
            plan = guard.plan(seen)
            seen = fleet.run(plan.fleet)
            control.run(plan.fleet)
            guard.learn(Outcome(seen))
        wrong = Standing(adopted=WRONG_NOTCH)
        guard.record = replace(guard.record, trial=None, standings={guard.record.regime or "": wrong})
        waited.append(_until_back(guard, fleet, control, seen))
    return {"notch": WRONG_NOTCH, "windows": waited}


def _until_back(guard: Shield, fleet: TunedReplica, control: TunedReplica, seen: Any) -> int | None:
    for count in range(1, 41):
        plan = guard.plan(seen)
        seen = fleet.run(plan.fleet)
        beside = control.run(plan.control or plan.fleet)
        if guard.learn(Outcome(seen, beside if plan.control else None)) is Ruling.ROLLED_BACK:
            return count
    return None


def kept(name: str, make: Callable[[], dict[str, Any]], *, fresh: bool) -> None:
    """Runs a cell unless it is there."""
    path = CELLS / f"{name}.json"
    if path.exists() or not fresh:
        return
    began = time.time()
    path.write_text(json.dumps(make(), allow_nan=False) + "\n", encoding="utf-8")
    print(f"{name}: {time.time() - began:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="run nothing, write the page from what is there")
    fresh = not parser.parse_args().page
    CELLS.mkdir(parents=True, exist_ok=True)
    for name in HOSTILE:
        kept(f"rollback-{name}", lambda name=name: rollbacks(name), fresh=fresh)
    for name in DRIFTING:
        kept(name, lambda name=name: compared(name, seeds=SEEDS, grid=DRIFT_GRID), fresh=fresh)
    for name in DRIFTING:
        kept(f"network-{name}", lambda name=name: networked(name, seeds=SEEDS), fresh=fresh)
    kept(f"network-{PAPER}", lambda: networked(PAPER, seeds=PAPER_SEEDS), fresh=fresh)
    for name in HOSTILE:
        kept(f"hostile-{name}", lambda name=name: hostile(name), fresh=fresh)
    kept(PAPER, lambda: compared(PAPER, seeds=PAPER_SEEDS, grid=PAPER_GRID), fresh=fresh)
    write_page(CELLS)


if __name__ == "__main__":
    main()
