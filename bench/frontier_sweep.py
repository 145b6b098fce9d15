"""Whole frontiers of all policies, over start-up times: what each pays for 99 % of requests within the objective.

    python bench/frontier_sweep.py --jobs 2              # runs what is missing, then writes the page
    python bench/frontier_sweep.py --page                # writes the page from what is there

Each cell, one traffic at one cold start, is kept as JSON under docs/benchmarks/frontier as soon as it is done, so a run
that was stopped goes on where it was, and anybody can check the page. Its curves go to out/frontier-sweep. All of it is
simulated. Remove the cells to run the sweep anew.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from frontier_page import write_page

from foretide.cli.curves import draw
from foretide.cli.frontier import as_json
from foretide.simulator.fleet import StartTier
from foretide.simulator.frontier import frontier
from foretide.simulator.question import Question
from foretide.simulator.scenario import RequestFile, Scenario, load_scenario
from foretide.simulator.spread import Workers

ROOT = Path(__file__).parents[1]
CELLS, OUT = ROOT / "docs/benchmarks/frontier", ROOT / "out/frontier-sweep"
STARTS_S = (0, 30, 60, 120, 240)
SIGMA = 0.3
AT_ONCE_S = 0.001
"""A start that takes no time: a median has to be above 0."""
POLICIES = (
    "static",
    "hpa",
    "hpa-utilization",
    "hpa-concurrency",
    "keda",
    "knative",
    "last-value",
    "wva",
    "dynamo",
    "sageserve",
    "foretide",
    "oracle",
)
SEEDS, ATTAINMENTS = 5, (0.99,)
SHIPPED_START_S = 120
"""The start-up time that most readers have: tuned a little harder, and shown for every policy."""
BUDGET, BUDGET_ELSEWHERE = 5, 3
ONLY_AT_SHIPPED = ("hpa", "hpa-utilization", "keda", "knative", "dynamo", "sageserve")
"""Left out elsewhere, to keep the sweep within hours: those that came behind others of their kind at 120 s, or as KEDA
does within 2 % of an HPA on running requests."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """One scenario of docs/scenarios, cut down to what fits a benchmark."""

    name: str
    file: str
    told: str
    """One line for readers."""
    scale_rate: float | None = None
    start_s: float = 0.0
    duration_s: float | None = None

    def scenario(self, start_up_s: float) -> Scenario:
        scenario = load_scenario(ROOT / "docs/scenarios" / self.file)
        source = scenario.source
        if isinstance(source, RequestFile) and self.scale_rate is not None:
            source = replace(source, scale_rate=self.scale_rate, start_s=self.start_s, duration_s=self.duration_s)
        tier = StartTier(max(AT_ONCE_S, start_up_s), SIGMA)
        return replace(scenario, name=f"{self.name}, start-up {start_up_s:g} s", source=source, cold_start=tier)


TRAFFIC = (
    Traffic(
        "azure-conv",
        "frontier-azure-conv.yaml",
        "Azure LLM inference trace 2023, conversation, at 6 times its rate: one recorded hour",
    ),
    Traffic(
        "servegen-mlarge",
        "frontier-servegen-mlarge.yaml",
        "ServeGen m-large, reconstructed from published statistics, at twice that reconstruction's rate: three hours",
    ),
    Traffic(
        "flash-crowd",
        "frontier-flash-crowd.yaml",
        "a generated day, compressed to an hour, with two flash crowds that nothing announces",
    ),
)


def cell(traffic: Traffic, start_up_s: float, *, jobs: int) -> dict[str, Any]:
    """One frontier, from disk if it is there."""
    path = CELLS / f"{traffic.name}-{start_up_s:g}.json"
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    shipped = start_up_s == SHIPPED_START_S
    policies = tuple(name for name in POLICIES if shipped or name not in ONLY_AT_SHIPPED)
    budget = BUDGET if shipped else BUDGET_ELSEWHERE
    question = Question(policies, attainments=ATTAINMENTS, seeds=SEEDS, budget=budget, reference="foretide")
    began = time.time()
    found = frontier(traffic.scenario(start_up_s), question, workers=Workers(jobs), cache=OUT / "capacity")
    told = as_json(found)
    path.write_text(json.dumps(told, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (OUT / f"{path.stem}.svg").write_text(draw(found).svg, encoding="utf-8")
    matched = {row["policy"]: row["matched"]["0.99"] for row in told["policies"]}
    shown = ", ".join(f"{name} {'-' if hours is None else f'{hours:.2f}'}" for name, hours in matched.items())
    print(
        f"{traffic.name}, start-up {start_up_s:g} s: {time.time() - began:.0f} s; GPU-hours at 99 %: {shown}",
        flush=True,
    )
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", default="", help="names of traffics, with commas between them")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page from what is there")
    given = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    CELLS.mkdir(parents=True, exist_ok=True)
    names = [name for name in given.only.split(",") if name]
    for start_up_s in (120, 30, 0, 240, 60):
        for traffic in TRAFFIC:
            if not given.page and (not names or traffic.name in names):
                cell(traffic, start_up_s, jobs=given.jobs)
    write_page({traffic.name: traffic.told for traffic in TRAFFIC}, starts=STARTS_S, cells=CELLS)


if __name__ == "__main__":
    main()
