"""Promised against observed: how often do plans break the objective, whose published risk said how likely that is?

    python bench/risk_calibration.py                 # runs what is missing, then writes the page
    python bench/risk_calibration.py --page          # writes the page from what is there
    python bench/risk_calibration.py --only azure-conv

Each scenario is run in closed loop at several accepted risks and seeds, once as Foretide ships and once with the
published risks recalibrated online (risk_recalibrated.py). Every run is a line of the scenario's file under
docs/benchmarks/risk-calibration. All of it is simulated.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from risk_calibration_page import CELLS, write_page
from risk_recalibrated import Recalibrated, came, told

from foretide.simulator.fleet import StartTier
from foretide.simulator.ground import Ground, Part, lay_ground
from foretide.simulator.knobs import knob_of
from foretide.simulator.run import Bench, PolicyRun, run_policy
from foretide.simulator.scenario import load_scenario
from foretide.simulator.score import jointly, met
from foretide.simulator.shipped import Shipped
from foretide.simulator.trial import Setting, fresh

ROOT = Path(__file__).parents[1]
RISKS = (0.01, 0.05, 0.2, 0.5)
SIGMA = 0.3


@dataclass(frozen=True, slots=True)
class Place:
    """A scenario of docs/scenarios; of generated traffic every seed is a trace of its own."""

    name: str
    file: str
    seeds: int
    start_up_s: float = 120.0


PLACES = (
    Place("azure-conv", "frontier-azure-conv", 3),
    Place("servegen-mlarge", "frontier-servegen-mlarge", 3),
    Place("flash-crowd", "frontier-flash-crowd", 6),
    Place("generated-days", "generated-days", 3),
    Place("step", "stress-step", 3),
)


def run(place: Place) -> None:
    """All runs of one place, written when all are done."""
    scenario = load_scenario(ROOT / "docs/scenarios" / f"{place.file}.yaml")
    scenario = replace(scenario, cold_start=StartTier(place.start_up_s, SIGMA))
    ground = lay_ground(scenario, seed=0, cache=ROOT / "out/risk-calibration/capacity")
    runs = [
        one_run(ground, risk, seed, corrected=corrected)
        for risk in RISKS
        for seed in range(place.seeds)
        for corrected in (False, True)
    ]
    CELLS.mkdir(parents=True, exist_ok=True)
    text = "\n".join(json.dumps(one, separators=(",", ":")) for one in runs)
    (CELLS / f"{place.name}.jsonl").write_text(text + "\n", encoding="utf-8")


def one_run(ground: Ground, risk: float, seed: int, *, corrected: bool) -> dict[str, Any]:
    began = time.process_time()
    given = ground.bench(Part.EVALUATION, seed)
    bench, policy = fresh(given, Setting("foretide", knob_of("foretide", ground.scenario), risk))
    factors: Mapping[float, float] = {}
    if corrected and isinstance(policy, Shipped):
        policy = Recalibrated(policy)
        factors = policy.factors
    found = run_policy(bench=bench, autoscaler=policy)
    kept = jointly(met(outcome=found.outcome, objective=bench.scenario.objective))
    plans = list(_plans(found, bench, kept, factors))
    head = {"risk": risk, "seed": seed, "corrected": corrected}
    cost = {"hours": round(found.gpu_hours, 3), "joint": round(float(kept.mean()), 5)}
    print(f"{bench.scenario.name} {head} {cost}: {len(plans)} plans, {time.process_time() - began:.0f} s", flush=True)
    p, demand, felt = zip(*plans, strict=True)
    return {**head, **cost, "p": p, "demand": "".join(map(str, demand)), "felt": "".join(map(str, felt))}


def _plans(
    found: PolicyRun, bench: Bench, kept: NDArray[np.bool_], factors: Mapping[float, float]
) -> Iterator[tuple[float, int, int]]:
    """Of each plan: what it promised, what demand would have done to its count, and what requests felt."""
    planned = [asked.choice for asked in found.asked if asked.choice.planned]
    seen = [(one.evidence, one.decision) for one in planned if one.evidence is not None and one.decision is not None]
    last = seen[-1][0]
    order = np.argsort(found.outcome.arrival_s)
    arrival, kept = np.asarray(found.outcome.arrival_s)[order] + bench.begins_s, kept[order]
    allowed = 1.0 - bench.scenario.objective.required_joint()
    for evidence, decision in seen:
        promise = told(evidence, decision)
        broke = None if promise is None else came(promise, last.history, last.service)
        if promise is None or broke is None:
            continue
        begin, end = evidence.now + evidence.cold_start.quantile(0.5), promise.at + promise.bins * last.history.step
        felt = kept[slice(*np.searchsorted(arrival, [begin, end]))]
        if len(felt):
            promised = min(1.0, promise.probability * factors.get(evidence.now, 1.0))
            yield round(promised, 5), int(broke), int(1.0 - float(felt.mean()) > allowed + 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of places, with commas between them")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page from what is there")
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name] or [place.name for place in PLACES]
    for place in PLACES:
        if not given.page and place.name in names and not (CELLS / f"{place.name}.jsonl").exists():
            run(place)
    write_page([place.name for place in PLACES])


if __name__ == "__main__":
    main()
