"""What the shock rule changes on recorded series, and what ties do to coverage: rows for the page of the targets.

    python bench/forecast_shock.py [FAMILY/SERIES ...]

The ladder as it ships and the same without the rule (`foretide.forecaster.shock`), one after the other in one process,
on the same origins and noise. Rows that are there already are kept. `python bench/forecast_targets_page.py` shows them.

Coverage is told thrice: as the evaluation counts it; by randomised ranks, in which an outcome that ties with paths
counts in part (Czado, Gneiting and Held 2009); and over the columns that change at all in the scored rows. A constant
that is forecast as a constant is inside every interval, so that the first cannot be 80 % of it.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from forecast_families import FAMILIES, Family

from foretide.forecaster.evaluate.baselines.pooled import Pooled
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.protocol import DAY_S, lift_of, scaled
from foretide.forecaster.evaluate.tally import Tally, figures, outcomes, seasonal_error
from foretide.policies.flow import Floats

OUT = Path(__file__).parents[1] / "docs/benchmarks/forecast-targets/shock.json"
PLACES = (
    "minute-15/twitter",
    "servegen-36/servegen-m-mid",
    "minute-15/burstgpt-tokens",
    "fisher/fisher-6",
    "fisher/fisher-8",
    "minute-15/nasa",
    "servegen-36/servegen-m-large",
    "fisher/fisher-9",
    "fisher/fisher-1",
    "fisher/fisher-7",
    "fisher/fisher-3",
    "fisher/fisher-5",
)
SHOWN = ("crps", "wql", "mse", "decision_cost", "coverage80", "coverage95", "peak_q95_exceeded")


@contextmanager
def no_shocks() -> Iterator[None]:
    with patch("foretide.forecaster.ladder.shocked", lambda waiting, past: False):  # noqa: ARG005 - its arguments
        yield


def losses(family: Family, series: Series) -> tuple[dict[str, Floats], Floats]:
    """Losses of the ladder at every origin of the family's protocol, and the seasonal error of each column."""
    terms, rows = family.protocol, len(series.values)
    origins, (train, _, _) = terms.origins(rows), terms.split(rows)
    scored = scaled(series, train=train, scale=terms.scale)
    lift = lift_of(series, train=train, scale=terms.scale)
    shown = replace(scored, values=scored.values + lift)
    given: dict[str, Any] = {"series": shown, "horizon": terms.horizon, "seed": 0}
    fitted = Pooled("pooled").fit(rows=int(origins[0]) - terms.horizon, context=terms.context, **given)
    paths = fitted.paths(origins=origins, count=terms.paths, **given) - lift
    tally = Tally()
    tally.add(paths=paths, actual=outcomes(scored.values, origins=origins, horizon=terms.horizon), seed=0)
    return tally.whole(), seasonal_error(scored.values[:train], season=round(DAY_S / series.step_s))


def told(family: Family, series: Series) -> dict[str, float]:
    found, error = losses(family, series)
    shown = {name: value for name, value in figures(found, seasonal_error=error).items() if name in SHOWN}
    terms, ranks = family.protocol, found["pit"]
    actual = outcomes(series.values, origins=terms.origins(len(series.values)), horizon=terms.horizon)
    moving = np.nanmax(actual, axis=(0, 1)) > np.nanmin(actual, axis=(0, 1))
    for level in (80, 95):
        edge = (1 - level / 100) / 2
        inside = np.where(np.isfinite(ranks), (ranks >= edge) & (ranks <= 1 - edge), np.nan)
        shown[f"ranks{level}"] = float(np.nanmean(inside))
        shown[f"moving{level}"] = float(np.nanmean(found[f"coverage{level}"][:, :, moving]))
    return {**shown, "constant_columns": float((~moving).sum())}


def row(place: str) -> dict[str, Any]:
    name, group = place.split("/")
    family = next(each for each in FAMILIES if each.name == name)
    series = next(each for each in family.series() if each.group == group)
    begun = time.process_time()
    with_rule = told(family, series)
    with no_shocks():
        without = told(family, series)
    return {"place": place, "with": with_rule, "without": without, "cpu_s": round(time.process_time() - begun)}


def main() -> int:
    rows = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else []
    OUT.parent.mkdir(parents=True, exist_ok=True)
    for place in sys.argv[1:] or PLACES:
        if place not in {each["place"] for each in rows}:
            rows.append(row(place))
            OUT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            print(rows[-1], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
