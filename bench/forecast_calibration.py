"""What online calibration does to the ladder's pool on development series: coverage, peaks, CRPS, decision cost.

    python bench/forecast_calibration.py --origins 560

Development series only, which settings may be chosen on: generated workloads, single clients of ServeGen (from
FORETIDE_DATA, Apache-2.0) and series of the NAB collection (MIT). What evaluations are judged on is not read here.
Each line is one ladder, driven online; `drawn` is its pool before calibration, from the very same run.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from foretide.forecaster.conformal import peaks
from foretide.forecaster.ladder import Ladder
from foretide.forecaster.past import Past
from foretide.forecaster.scoring import crps
from foretide.policies.flow import DemandHistory, Floats, Trust, frozen
from foretide.simulator.generate import demand_counts
from foretide.simulator.shape import WorkloadShape

PATHS, UNDER = 256, 19.0
"""Paths of each forecast, and the cost of a missing unit over that of an idle one."""
SHAPES: Mapping[str, WorkloadShape] = {
    "generated, steady": WorkloadShape(mean_rps=5.0),
    "generated, five bursty clients": WorkloadShape(mean_rps=0.3, clients=5, burstiness=3.0),
    "generated, flash crowds": WorkloadShape(mean_rps=40.0, bursts_per_day=20, burst_height=3.0),
}
CLIENTS = (("m-large", 112), ("m-large", 142))
NAB = {"elb_request_count_8c0756": 300.0, "nyc_taxi": 1800.0}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    name: str
    table: Floats
    step: float
    horizon: int
    context: int
    """Rows before the first origin."""
    every: int


class Watched(Ladder):
    """A ladder that shows the paths of each tier behind its latest forecast."""

    drawn: dict[str, Floats]

    def _drawn(self, past: Past, bound: Floats, horizon: int, count: int, seed: int) -> dict[str, Floats]:
        self.drawn = super()._drawn(past, bound, horizon, count, seed)
        return self.drawn


def cases() -> Iterator[Case]:
    for place, (name, shape) in enumerate(SHAPES.items()):
        yield Case(name, demand_counts(shape, days=4, step=60.0, seed=11 + place), 60.0, 10, 2880, 5)
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        print("FORETIDE_DATA is not set: ServeGen's clients and NAB's series are left out", file=sys.stderr)
        return
    rates = pd.read_parquet(Path(folder) / "series" / "servegen_client_rates.parquet")
    for model, client in CLIENTS:
        one = rates[(rates.model == model) & (rates.client_id == client)]
        rate = np.zeros(2016)
        rate[(one.window_start_s.to_numpy() / 600).astype(int)] = one.rate_rps
        yield Case(f"ServeGen client {model}/{client}", with_tokens(rate), 600.0, 6, 432, 1)
    found = pd.read_parquet(Path(folder) / "series" / "nab_selected.parquet")
    for name, step in NAB.items():
        rate = found[found.series == name].value.to_numpy(np.float64) / step
        yield Case(f"NAB {name}", with_tokens(rate), step, 6, 864 if step < 600 else 480, 3)


def with_tokens(rate: Floats) -> Floats:
    """Every request with 1,000 prompt and 200 output tokens: these series have no lengths."""
    return np.column_stack([rate, 1000 * rate, 200 * rate])


def scored(paths: Floats, actual: Floats, work: Floats) -> dict[str, float]:
    """Figures of one forecast (K, H, 3)."""
    requests, outcome = paths[:, :, 0], actual[:, 0]
    low95, low80, high80, high95 = np.quantile(requests, [0.025, 0.1, 0.9, 0.975], axis=0)
    served, peak = peaks(paths, work), float((actual @ work).max())
    held, held99 = np.quantile(served, [0.95, 0.99])
    return {
        "crps": float(crps(requests, outcome).mean()),
        "coverage80": float(((low80 <= outcome) & (outcome <= high80)).mean()),
        "coverage95": float(((low95 <= outcome) & (outcome <= high95)).mean()),
        "above95": float(peak > held),
        "above99": float(peak > held99),
        "cost": float(UNDER * max(0.0, peak - held) + max(0.0, held - peak)),
    }


def driven(case: Case, origins: int) -> dict[str, dict[str, float]]:
    """Mean figures of the pool as drawn, as served, and the CRPS of each tier that spoke throughout."""
    ladder = Watched(calibration=True)
    rows: dict[str, list[dict[str, float]]] = {"drawn": [], "served": []}
    alarms = 0
    for end in list(range(case.context, len(case.table) - case.horizon, case.every))[:origins]:
        begin = end - case.context
        told = DemandHistory(begin * case.step, case.step, frozen(case.table[begin:end]), Trust.FRESH)
        made = ladder.forecast(history=told, horizon=case.horizon, paths=PATHS, seed=end)
        if made is None or made.flagged:
            continue
        alarms = made.reliability.alarms if made.reliability else 0
        actual, work = case.table[end : end + case.horizon], 1.0 / np.maximum(case.table[begin:end].mean(axis=0), 1e-12)
        pooled = np.concatenate([ladder.drawn[name][: round(w * PATHS)] for name, w in made.weights.items()])
        rows["drawn"].append(scored(pooled, actual, work))
        rows["served"].append(scored(made.paths, actual, work))
        for name, paths in ladder.drawn.items():
            rows.setdefault(name, []).append({"crps": float(crps(paths[:, :, 0], actual[:, 0]).mean())})
    whole = {name: each for name, each in rows.items() if len(each) >= len(rows["served"])}
    means = {name: {key: float(np.mean([row[key] for row in each])) for key in each[0]} for name, each in whole.items()}
    return means | {"counts": {"origins": len(rows["served"]), "alarms": alarms}}


def line(case: Case, found: dict[str, dict[str, float]]) -> str:
    drawn, served, counts = found["drawn"], found["served"], found["counts"]
    best = min(row["crps"] for name, row in found.items() if name not in {"drawn", "served", "counts"})
    return (
        f"| {case.name} | {counts['origins']:.0f} | {drawn['coverage80']:.3f} -> {served['coverage80']:.3f} "
        f"| {drawn['coverage95']:.3f} -> {served['coverage95']:.3f} "
        f"| {100 * drawn['above95']:.1f} -> {100 * served['above95']:.1f} % "
        f"| {100 * drawn['above99']:.1f} -> {100 * served['above99']:.1f} % "
        f"| {served['crps'] / drawn['crps']:.3f} | {drawn['crps'] / best:.3f} -> {served['crps'] / best:.3f} "
        f"| {served['cost'] / drawn['cost']:.3f} | {counts['alarms']:.0f} |"
    )


HEAD = """| series | origins | 80 % interval covers | 95 % covers | peaks above their 95 % quantile | above 99 % \
| CRPS, served / drawn | CRPS / best tier | decision cost, served / drawn | drift alarms |
|---|---|---|---|---|---|---|---|---|---|"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--origins", type=int, default=560)
    parser.add_argument("--only", default="", help="series whose names hold this")
    given = parser.parse_args()
    print(HEAD, flush=True)
    for case in cases():
        if given.only in case.name:
            print(line(case, driven(case, given.origins)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
