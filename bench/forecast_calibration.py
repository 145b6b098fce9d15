"""The ladder on development series: what pooling and calibration are worth, beside each tier and the simple rules.

    python bench/forecast_calibration.py [--origins 300] [--only NAME] [--tiers]

Development series only, which settings may be chosen on: generated workloads, single clients of ServeGen (from
FORETIDE_DATA, Apache-2.0), series of the NAB collection (MIT), and the VALIDATION parts of the minute and ServeGen
series. What evaluations are judged on, the last fifths, is not read here. Every line is driven online, one forecast
after another; `plain` is the ladder without calibration, `ladder` as it ships. `--tiers` adds a line per tier.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from forecast_families import FAMILIES

from foretide.forecaster.evaluate import decision, scores
from foretide.forecaster.evaluate.baselines.simple import SIMPLE
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.protocol import Part
from foretide.forecaster.evaluate.tally import outcomes
from foretide.forecaster.ladder import Ladder
from foretide.forecaster.past import Indices, Past
from foretide.policies.flow import DemandHistory, Floats, Trust, frozen
from foretide.simulator.generate import demand_counts
from foretide.simulator.shape import WorkloadShape

PATHS, UNDER = 256, 19.0
"""Paths of each forecast, and the cost of a missing unit over that of an idle one."""
SHOWN_S = 8 * 86400.0
"""How much past the ladder is shown on validation parts, as evaluations do."""
SHAPES: Mapping[str, WorkloadShape] = {
    "generated, steady": WorkloadShape(mean_rps=5.0),
    "generated, five bursty clients": WorkloadShape(mean_rps=0.3, clients=5, burstiness=3.0),
    "generated, flash crowds": WorkloadShape(mean_rps=40.0, bursts_per_day=20, burst_height=3.0),
}
CLIENTS = (("m-large", 112), ("m-large", 142))
NAB = {"elb_request_count_8c0756": 300.0, "nyc_taxi": 1800.0}
VALIDATED = ("minute-15", "minute-30", "servegen-36")
LADDERS = {"plain": False, "ladder": True}
"""By name, whether calibration is on."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    series: Series
    horizon: int
    context: int
    """Rows that the ladder sees before an origin."""
    origins: Indices

    @property
    def actual(self) -> Floats:
        return outcomes(self.series.values, origins=self.origins, horizon=self.horizon)


class Watched(Ladder):
    """A ladder that shows the paths of each tier behind its latest forecast."""

    drawn: dict[str, Floats]

    def _drawn(self, past: Past, bound: Floats, horizon: int, count: int, seed: int) -> dict[str, Floats]:
        self.drawn = super()._drawn(past, bound, horizon, count, seed)
        return self.drawn


def cases() -> Iterator[Case]:
    for place, (name, shape) in enumerate(SHAPES.items()):
        rate = demand_counts(shape, days=4, step=60.0, seed=11 + place)[:, 0]
        yield case(name, rate, step=60.0, horizon=15, context=2880, every=5)
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        print("FORETIDE_DATA is not set: all but the generated workloads is left out", file=sys.stderr)
        return
    rates = pd.read_parquet(Path(folder) / "series" / "servegen_client_rates.parquet")
    for model, client in CLIENTS:
        one = rates[(rates.model == model) & (rates.client_id == client)]
        rate = np.zeros(2016)
        rate[(one.window_start_s.to_numpy() / 600).astype(int)] = one.rate_rps
        yield case(f"ServeGen client {model}/{client}", rate, step=600.0, horizon=6, context=432, every=2)
    found = pd.read_parquet(Path(folder) / "series" / "nab_selected.parquet")
    for name, step in NAB.items():
        rate = found[found.series == name].value.to_numpy(np.float64) / step
        yield case(f"NAB {name}", rate, step=step, horizon=6, context=864 if step < 600 else 480, every=3)
    for family in FAMILIES:
        terms = replace(family.protocol, part=Part.VALIDATION)
        for series in family.series() if family.name in VALIDATED else []:
            named = replace(series, group=f"{series.group}, {terms.horizon} steps")
            yield Case(named, terms.horizon, round(SHOWN_S / series.step_s), terms.origins(len(series.values)))


def case(name: str, rate: Floats, *, step: float, horizon: int, context: int, every: int) -> Case:
    origins = np.arange(context, len(rate) - horizon, every, dtype=np.int64)
    return Case(Series(name, 0.0, step, ("rate",), rate[:, None]), horizon, context, origins)


def scored(paths: Floats, actual: Floats) -> dict[str, float]:
    """Figures of forecasts (O, K, H, 1) against outcomes (O, H, 1)."""
    peak = decision.peaks(actual)
    held = decision.capacity(paths=paths, quantile=decision.quantile_of(UNDER))
    each = {
        "crps": scores.crps(paths=paths, actual=actual),
        "wql": scores.quantile_loss(paths=paths, actual=actual) / np.nanmean(np.abs(actual)),
        "cost": decision.cost(provided=held, peak=peak, ratio=UNDER) / np.nanmean(peak),
        "coverage80": scores.covered(paths=paths, actual=actual, level=0.8),
        "coverage95": scores.covered(paths=paths, actual=actual, level=0.95),
        "exceeded": decision.exceeded(paths=paths, peak=peak),
    }
    return {name: float(np.nanmean(values)) for name, values in each.items()}


def driven(case: Case, ladder: Watched) -> tuple[Floats, dict[str, Floats]]:
    """Paths (O, K, H, 1) of the ladder, and of every tier that spoke at all of these origins."""
    series, pooled, tiers = case.series, [], []
    for end in case.origins.tolist():
        begin = max(0, end - case.context)
        values = np.repeat(series.values[begin:end], 3, axis=1)  # noqa: PD011  (no pandas here)
        told = DemandHistory(begin * series.step_s, series.step_s, frozen(values), Trust.FRESH)
        ladder.drawn = {}
        made = ladder.forecast(history=told, horizon=case.horizon, paths=PATHS, seed=end)
        pooled.append(np.zeros((PATHS, case.horizon, 1)) if made is None else made.paths[:, :, :1])
        tiers.append({name: paths[:, :, :1].astype(np.float32) for name, paths in ladder.drawn.items()})
    spoke = [one for one in tiers if one]
    always = set.intersection(*map(set, spoke)) if len(spoke) == len(tiers) else set()
    return np.stack(pooled), {name: np.stack([one[name] for one in tiers]) for name in sorted(always)}


def rules(case: Case) -> dict[str, dict[str, float]]:
    found = {}
    for rule in SIMPLE:
        fitted = rule.fit(series=case.series, rows=case.context, horizon=case.horizon, context=case.context, seed=0)
        paths = fitted.paths(series=case.series, origins=case.origins, horizon=case.horizon, count=PATHS, seed=0)
        found[rule.name] = scored(paths, case.actual)
    return found


def line(case: Case, name: str, found: Mapping[str, float], best: Mapping[str, float]) -> str:
    ratios = " | ".join(f"{found[key] / best[key]:.3f}" for key in ("crps", "wql", "cost"))
    return (
        f"| {case.series.group} | {name} | {len(case.origins)} | {ratios} | {found['coverage80']:.3f} "
        f"| {found['coverage95']:.3f} | {100 * found['exceeded']:.1f} % |"
    )


HEAD = """| series | model | origins | CRPS / best rule | wQL / best rule | decision cost / best rule | 80 % covers \
| 95 % covers | peaks above their 95 % quantile |
|---|---|---|---|---|---|---|---|---|"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--origins", type=int, default=300, help="most origins of each series")
    parser.add_argument("--only", default="", help="series whose names hold this")
    parser.add_argument("--tiers", action="store_true", help="a line for each tier alone, too")
    given = parser.parse_args()
    print(HEAD, flush=True)
    for each in cases():
        if given.only not in each.series.group:
            continue
        case = replace(each, origins=each.origins[: given.origins])
        simple = rules(case)
        best = {key: min(rule[key] for rule in simple.values()) for key in ("crps", "wql", "cost")}
        alone: dict[str, Floats] = {}
        for name, calibration in LADDERS.items():
            paths, alone = driven(case, Watched(calibration=calibration))
            print(line(case, name, scored(paths, case.actual), best), flush=True)
        for name, paths in alone.items() if given.tiers else ():
            print(line(case, name, scored(paths.astype(np.float64), case.actual), best), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
