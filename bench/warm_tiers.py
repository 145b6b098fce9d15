"""docs/benchmarks/warm-tiers.md: how long to keep idle models ready, against what platforms do today.

    python bench/warm_tiers.py run [--jobs N]
    python bench/warm_tiers.py page

Constants were chosen on the even half of Azure's functions and on seed 0 of the generated fleet; the page shows the odd
half, other seeds, and a trace that was not looked at before. Cells that exist beside the page are kept.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from os import environ
from pathlib import Path
from typing import Any

import pandas as pd

from foretide.policies.warm.tiers import Tiers, WarmTier, zero_or_ready
from foretide.simulator.serverless.calls import Calls
from foretide.simulator.serverless.fleet import run
from foretide.simulator.serverless.greedy_dual import run_greedy_dual
from foretide.simulator.serverless.keepers import FixedKeepAlive, HybridHistogram
from foretide.simulator.serverless.learned import Hindsight, Learned
from foretide.simulator.serverless.oracle import Oracle
from foretide.simulator.serverless.zipf import DAY_MIN, ZipfFleet, generate
from foretide.simulator.spread import Workers, spread

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/benchmarks/warm-tiers.md"
OUT = PAGE.with_suffix("")
WAKE_S = 80.0
"""A replica on a node that has the image."""
TRACES = {"azure-functions": 360, "generated-1": 2 * DAY_MIN, "genai-images": 4 * DAY_MIN}
"""Name -> first scored minute."""
WORTH = (0.3, 1.0, 3.0, 8.0, 24.0, 64.0)
SETTINGS: dict[str, tuple[float, ...]] = {
    "fixed": (1, 2, 5, 10, 20, 30, 60, 120, 240),
    "hybrid": (5, 10, 20, 30, 60, 120, 240),
    "greedy-dual": (5, 10, 20, 40, 60, 80, 100, 130, 160, 200, 250, 300),
    "foretide": WORTH,
    "hindsight": WORTH,
    "oracle": (0,),
}
THREE = Tiers((WarmTier("zero", WAKE_S, 0.0), WarmTier("sleeping", 2.0, 0.1), WarmTier("ready", 0.0, 1.0)))
"""With an engine that sleeps: its price stands for the memory that stays taken."""
Cell = dict[str, Any]


@lru_cache(maxsize=1)
def calls(name: str) -> Calls:
    data = Path(environ["FORETIDE_DATA"])
    if name == "azure-functions":
        table = pd.read_parquet(data / "series/azure_functions2019_1350f_1day.parquet")
        return Calls.of_table(table, name="function_id", minute="minute", count="invocations").half(odd=True)
    if name == "genai-images":
        asked = pd.read_csv(data / "requests/alibaba_genai_image_requests.csv.gz")
        asked["minute"] = (asked["arrival_s"] // 60).astype(int)
        return Calls.of_table(asked, name="checkpoint_model_version_id", minute="minute")
    return generate(ZipfFleet(), seed=int(name.removeprefix("generated-")))


def cell(_: None, item: tuple[str, str, float]) -> Cell:
    trace, policy, setting = item
    asked, scored_from = calls(trace), TRACES[trace]
    if policy == "greedy-dual":
        found = run_greedy_dual(asked, slots=int(setting), wake_s=WAKE_S, scored_from=scored_from)
    else:
        tiers = THREE if policy == "foretide-sleeping" else zero_or_ready(WAKE_S)
        found = run(asked, keeper=keeper(policy, setting, asked, tiers), tiers=tiers, scored_from=scored_from)
    return asdict(found) | {"gpu_s": found.gpu_s, "models": len(asked.names)}


def keeper(policy: str, setting: float, asked: Calls, tiers: Tiers) -> Any:
    models = len(asked.names)
    made = {
        "fixed": lambda: FixedKeepAlive(int(setting)),
        "hybrid": lambda: HybridHistogram(models, range_min=int(setting)),
        "hindsight": lambda: Hindsight(asked, tiers=tiers, worth=setting),
        "oracle": lambda: Oracle(asked, wake_s=WAKE_S),
    }
    return made.get(policy, lambda: Learned(models, tiers=tiers, worth=setting))()


def path_of(item: tuple[str, str, float]) -> Path:
    return OUT / f"{item[0]}--{item[1]}--{item[2]:g}.json"


def items() -> Iterator[tuple[str, str, float]]:
    for trace in TRACES:
        for policy, settings in (SETTINGS | {"foretide-sleeping": WORTH}).items():
            yield from ((trace, policy, setting) for setting in settings)


def run_cells(options: argparse.Namespace) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for trace in TRACES:
        left = [item for item in items() if item[0] == trace and not path_of(item).exists()]
        for group in (left[i : i + 4] for i in range(0, len(left), 4)):
            found = spread(cell, group, shared=None, workers=Workers(jobs=options.jobs))
            for item, one in zip(group, found, strict=True):
                path_of(item).write_text(json.dumps(one), encoding="utf-8")
                print(path_of(item).stem, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    if options.what == "run":
        run_cells(options)
    else:
        from warm_tiers_page import write

        write(PAGE, OUT, traces=tuple(TRACES))


if __name__ == "__main__":
    main()
