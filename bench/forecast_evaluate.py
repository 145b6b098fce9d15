"""docs/benchmarks/forecasts.md: every forecaster on the families of forecast_families.py, cell by cell.

    python bench/forecast_evaluate.py run [--families A,B] [--models all|A,B] [--seeds N] [--fits N] [--limit S]
    python bench/forecast_evaluate.py keep
    python bench/forecast_evaluate.py page

Cells that exist under out/forecasts/ are kept, so that a run can be stopped and go on. `keep` puts them, in short, into
the files beside the page; `page` writes the page from those files alone. A cell whose library is missing, or that takes
longer than the limit, is left out, and the files say so.
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Any

from forecast_families import FAMILIES, Family
from forecast_kept import keep
from forecast_page import write_page

from foretide.forecaster.evaluate.baselines.catalogue import Entry, chosen
from foretide.forecaster.evaluate.baselines.missing import NotInstalled
from foretide.forecaster.evaluate.cells import Cells
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.run import compared
from foretide.forecaster.evaluate.young import hidden

OUT = Path(__file__).parents[1] / "out/forecasts"


class TooLong(Exception):
    """The cell took more processor time than its limit."""


def cells_of(family: Family) -> Cells:
    """A cell is named by series and model; what it was run with stands in it."""
    return Cells(OUT / family.name, {})


def run_cell(place: tuple[str, str, str], terms: dict[str, int], limit: int) -> str:
    """One cell, by names alone so that a process of its own can make it; what came out, in a line."""
    name, group, model = place
    family = next(each for each in FAMILIES if each.name == name)
    (entry,) = chosen(model)
    cells = cells_of(family)
    if cells.read(group=group, model=model) is not None:
        return ""
    begun = time.perf_counter()
    series = next(each for each in family.series() if each.group == group)
    try:
        with at_most(limit):
            cell = _cell(family, series, entry, terms)
    except (NotInstalled, ValueError, TooLong) as error:
        cells.write({"group": group, "model": model, "left_out": str(error)})
        return f"{name} {group} {model}: left out: {error}"
    cells.write(cell)
    figures = cell["figures"]
    return (
        f"{name} {group} {model}: crps {figures['crps']:.5g} wql {figures['wql']:.4f} "
        f"cost {figures['decision_cost']:.4f} exceeded {figures['peak_q95_exceeded']:.3f} "
        f"({time.perf_counter() - begun:.0f} s)"
    )


def _cell(family: Family, series: Series, entry: Entry, terms: dict[str, int]) -> dict[str, Any]:
    cell = compared(series=series, entry=hidden(entry, family.history), protocol=replace(family.protocol, **terms))
    return {**cell, "terms": terms if entry.learns and not family.history else {}}


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raises TooLong inside when that much processor time is used up; 0 is no limit."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise TooLong(f"it takes more than {seconds} s of a processor")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def run(options: argparse.Namespace) -> None:
    named = {family.name: family for family in FAMILIES}
    families = list(FAMILIES) if options.families == "all" else [named[name] for name in options.families.split(",")]
    places = [
        (family.name, series.group, entry.name)
        for family in families
        for entry in chosen(options.models)
        for series in family.series()
    ]
    terms = {"seeds": options.seeds, "fits": options.fits}
    with ProcessPoolExecutor(max_workers=options.jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run_cell, place, terms, options.limit) for place in places]):
            if done.exception() is not None:
                print(f"failed: {done.exception()!r}", flush=True)
            elif done.result():
                print(done.result(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "keep", "page"))
    parser.add_argument("--families", default="all")
    parser.add_argument("--models", default="all")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--fits", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--limit", type=int, default=0, help="seconds of a processor per cell; 0 is no limit")
    options = parser.parse_args()
    if options.what == "run":
        run(options)
    elif options.what == "keep":
        for family in FAMILIES:
            keep(family.name, cells_of(family).folder)
    else:
        write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
