"""docs/benchmarks/forecasts.md: every forecaster on the families of forecast_families.py, cell by cell.

    python bench/forecast_evaluate.py run [--families A,B] [--models all|everything|A,B] [--seeds N] [--fits N]
    python bench/forecast_evaluate.py page

Cells that exist under out/forecasts/ are kept, so that a run can be stopped and go on; `page` writes what is there.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from forecast_families import FAMILIES, Family
from forecast_page import write_page

from foretide.forecaster.evaluate.baselines.catalogue import Entry, chosen
from foretide.forecaster.evaluate.baselines.missing import NotInstalled
from foretide.forecaster.evaluate.cells import Cells
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.run import compared
from foretide.forecaster.evaluate.young import hidden

OUT = Path(__file__).parents[1] / "out/forecasts"


def cells_of(family: Family) -> Cells:
    """A cell is named by series and model; what it was run with stands in it."""
    return Cells(OUT / family.name, {})


def run_cell(family: Family, series: Series, entry: Entry, terms: dict[str, int]) -> None:
    cells = cells_of(family)
    if cells.read(group=series.group, model=entry.name) is not None:
        return
    begun = time.perf_counter()
    protocol = replace(family.protocol, **terms)
    try:
        cell = compared(series=series, entry=hidden(entry, family.history), protocol=protocol)
    except NotInstalled as error:
        print(f"{family.name} {series.group} {entry.name}: {error}", flush=True)
        return
    ran = terms if entry.learns else {}
    cells.write({**cell, "terms": ran})
    figures = cell["figures"]
    print(
        f"{family.name} {series.group} {entry.name}: crps {figures['crps']:.5g} wql {figures['wql']:.4f} "
        f"cost {figures['decision_cost']:.4f} exceeded {figures['peak_q95_exceeded']:.3f} "
        f"({time.perf_counter() - begun:.0f} s)",
        flush=True,
    )


def run(options: argparse.Namespace) -> None:
    entries = chosen(options.models)
    terms = {"seeds": options.seeds, "fits": options.fits}
    for family in FAMILIES:
        if options.families != "all" and family.name not in options.families.split(","):
            continue
        series = family.series()
        for entry in entries:
            for each in series:
                run_cell(family, each, entry, terms)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--families", default="all")
    parser.add_argument("--models", default="all")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--fits", type=int, default=1)
    options = parser.parse_args()
    if options.what == "run":
        run(options)
    else:
        write_page({family.name: (family.title, cells_of(family).folder) for family in FAMILIES})
    return 0


if __name__ == "__main__":
    sys.exit(main())
