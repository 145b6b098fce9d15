"""docs/benchmarks/forecasts.md from the tables beside it: per family what the issue asks, and every model.

What is NOT promised: that every family has every model. What was not run is not there; what was tried is said.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import forecast_targets as targets
import numpy as np
from forecast_families import FAMILIES
from forecast_kept import kept, table_of

from foretide.forecaster.evaluate.baselines.catalogue import ENTRIES, SIMPLE_NAMES
from foretide.forecaster.evaluate.summary import summary

PAGE = Path(__file__).parents[1] / "docs/benchmarks/forecasts.md"
HEAD = """# Forecasters compared

Written by `python bench/forecast_evaluate.py page` from the tables in [forecasts](forecasts/), one row per series and
model with all figures; how each figure is made, and what it may be used for, stands in
[forecasting](../forecasting.md). All figures are of parts of the series that chose no setting. Ratios are geometric
means over the series of a family, with 95 % intervals from resampled blocks of time in brackets. Smaller is better;
below 1 a model beats the simple rule that is best on each series in hindsight, which no one could have picked
beforehand. Bold is a target missed.
"""
Told = Mapping[str, Any]


def write_page() -> None:
    """Writes the page anew from what the tables hold."""
    found = {family.name: kept(family.name) for family in FAMILIES}
    told = {name: summary(cells) for name, (cells, _) in found.items() if cells}
    asked = summary([cell for name in ASKED for cell in found[name][0]])["against_best_simple"]
    lines = [HEAD, *in_short(told, _whole(asked))]
    for family in FAMILIES:
        if family.name in told:
            lines += ["", *section(family.name, family.title, told[family.name], *found[family.name])]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def in_short(told: Mapping[str, Told], asked: Mapping[str, Any]) -> list[str]:
    """The best of each family, what the issue asks over several, and the libraries' networks against ours."""
    lines = [
        "## In short",
        "",
        "| family | smallest CRPS | smallest wQL | smallest decision cost |",
        "|---|---|---|---|",
    ]
    for name, each in told.items():
        against = each["against_best_simple"]
        lines.append(f"| [{name}](#{name}) | {' | '.join(_best(against, score) for score in SCORES)} |")
    lines += ["", f"Over the series of {' and '.join(ASKED)} together:", "", *targets.ratios(asked)]
    rivals = targets.libraries(
        {name: _whole(each["against_best_simple"]) for name, each in told.items() if name in LONG}
    )
    if rivals:
        lines += [
            "",
            "CRPS / decision cost of ours over the libraries' networks; below 1 they are beaten:",
            "",
            *rivals,
        ]
    return lines


SCORES = ("crps", "wql", "decision_cost")
EARLIER = " †"
"""Marks a model whose losses over time were not kept: its ratios have no interval."""
ASKED = ("minute-15", "servegen-36")
LONG = ("fisher", "minute-15", "minute-30", "servegen-36")
"""Families whose models see the whole past."""


def _best(against: Mapping[str, Any], score: str) -> str:
    """The best model, and the best that is no rule where a rule is the best."""
    whole = _whole(against)
    ordered = sorted(whole, key=lambda model: whole[model][score]["ratio"])
    first = f"{ordered[0]} {whole[ordered[0]][score]['ratio']:.2f}"
    others = [model for model in ordered if model not in SIMPLE_NAMES]
    if ordered[0] in SIMPLE_NAMES and others:
        return f"{first}; {others[0]} {whole[others[0]][score]['ratio']:.2f}"
    return first


def _whole(against: Mapping[str, Any]) -> dict[str, Any]:
    """The models that ran on every series of the family: only their means can be compared."""
    most = max((found["crps"]["series"] for found in against.values()), default=0)
    return {model: found for model, found in against.items() if found["crps"]["series"] == most}


def section(name: str, title: str, told: Told, cells: Sequence[Told], left_out: Sequence[Told]) -> list[str]:
    """A family: what was asked beside what was reached, and every model against the best rule."""
    against = told["against_best_simple"]
    asked = targets.fisher(cells) if name == "fisher" else targets.ratios(_whole(against)) if name in LONG else []
    asked = asked or targets.zero_shot(cells)
    pools, bands = [*targets.worst_of_pools(cells), *targets.missed(cells)], targets.bands(cells)
    parts = [
        [f'<a id="{name}"></a>', f"## {title}"],
        asked,
        pools,
        _overall(told),
        _folded(bands),
        _ran(name, cells, left_out),
    ]
    return [line for part in parts if part for line in (*part, "")][:-1]


def _overall(told: Told) -> list[str]:
    """Ratios to the best simple rule of each series, best CRPS first."""
    against, relative = told["against_best_simple"], told["relative"]
    head = "| model | CRPS / best rule | wQL / best rule | decision cost / best rule | CRPS / seasonal naive | series |"
    rows = sorted(against, key=lambda model: against[model]["crps"]["ratio"])
    return [
        head,
        "|---|---|---|---|---|---|",
        *(
            f"| {model}{EARLIER if np.isnan(against[model]['crps']['low']) else ''} "
            f"| {' | '.join(_ratio(against[model][score]) for score in SCORES)} "
            f"| {relative.get(model, {}).get('crps', float('nan')):.3f} | {against[model]['crps']['series']} |"
            for model in rows
        ),
    ]


def _ratio(found: Told) -> str:
    if np.isnan(found["low"]):
        return f"{found['ratio']:.3f}"
    return f"{found['ratio']:.3f} ({found['low']:.2f}-{found['high']:.2f})"


def _folded(lines: Sequence[str]) -> list[str]:
    """A table that is looked up rather than read."""
    if not lines:
        return []
    return [
        "<details><summary>Calibration per series and model, with intervals</summary>",
        "",
        *lines,
        "",
        "</details>",
    ]


def _ran(name: str, cells: Sequence[Told], left_out: Sequence[Told]) -> list[str]:
    """How models that learn were run, what was left out, and where the rest stands."""
    origins = sorted({len(cell["origins"]) for cell in cells})
    counted = f"{origins[0]} to {origins[-1]}" if len(origins) > 1 else f"{origins[0]}"
    terms = {cell["model"]: cell["terms"] for cell in cells if cell["terms"]}
    learned = sorted(f"{model} ({found['seeds']}, {found['fits']})" for model, found in terms.items())
    told = [f"Every figure per series: [{name}.csv](forecasts/{table_of(name).name}). Origins per series: {counted}."]
    if learned:
        told.append(f"Learned, with (seeds, fits): {', '.join(learned)}.")
    notes: dict[str, set[str]] = {}
    for cell in cells:
        if cell["note"]:
            notes.setdefault(cell["note"], set()).add(cell["model"])
    told += [f"† {', '.join(sorted(models))}: {note}." for note, models in notes.items()]
    if left_out:
        why = sorted(f"{cell['model']} on {cell['group']} ({cell['left_out']})" for cell in left_out)
        told.append(f"Left out: {'; '.join(why)}.")
    absent = _not_run({cell["model"] for cell in (*cells, *left_out)}) if name in LONG else []
    if absent:
        told.append(f"Not run, for want of time: {', '.join(absent)}.")
    return [" ".join(told)]


def _not_run(tried: Collection[str]) -> list[str]:
    """Competitors of which the table holds no row, in the catalogue's order."""
    return [model for model in ENTRIES if model not in tried]
