"""The tables of docs/benchmarks/forecasts.md from the cells of forecast_evaluate.py: one section per family.

What is NOT promised: that every family has every model. Cells that were not run are not there.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from validation_page import write_section

from foretide.forecaster.evaluate.summary import summary

PAGE = Path(__file__).parents[1] / "docs/benchmarks/forecasts.md"
HEAD = """# Forecasters compared

Written by `python bench/forecast_evaluate.py page` from the cells that `run` leaves under `out/forecasts/`; how each
figure is made, and what it may be used for, stands in [forecasting](../forecasting.md). All figures are of parts of the
series that chose no setting. Ratios are geometric means over the series of a family, with 95 % intervals from resampled
blocks in brackets. Smaller is better; below 1 a model beats the simple rule that is best on each series in hindsight,
which no one could have picked beforehand.
"""
SAME_UNIT = 5
"""Fisher alone has this many series; all of them are scaled to their training range."""
Row = tuple[str, ...]


def write_page(families: Mapping[str, tuple[str, Path]]) -> None:
    """Replaces the section of each family that has cells. `families` is name -> (title, folder of cells)."""
    for name, (title, folder) in families.items():
        cells = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
        if cells:
            write_section(name, section(title, cells), path=PAGE, head=HEAD)


def section(title: str, cells: Sequence[Mapping[str, Any]]) -> list[str]:
    told = summary(cells)
    return [f"## {title}", "", *_overall(told), "", *_means(told), "", *_by_series(told), "", *_ran(cells)]


def _overall(told: Mapping[str, Any]) -> list[str]:
    """Ratios to the best simple rule of each series, best CRPS first."""
    against, relative = told["against_best_simple"], told["relative"]
    head = "| model | CRPS / best rule | wQL / best rule | decision cost / best rule | CRPS / seasonal naive | series |"
    rows = sorted(against, key=lambda model: against[model]["crps"]["ratio"])
    return [
        head,
        "|---|---|---|---|---|---|",
        *(
            f"| {model} | {_ratio(against[model]['crps'])} | {_ratio(against[model]['wql'])} "
            f"| {_ratio(against[model]['decision_cost'])} | {relative.get(model, {}).get('crps', float('nan')):.3f} "
            f"| {against[model]['crps']['series']} |"
            for model in rows
        ),
    ]


def _ratio(found: Mapping[str, Any]) -> str:
    return f"{found['ratio']:.3f} ({found['low']:.2f}-{found['high']:.2f})"


def _means(told: Mapping[str, Any]) -> list[str]:
    """Plain means over the series, as HARMONY's figures are told; only where the unit is the same everywhere."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for series in told["series"]:
        for row in series["models"]:
            rows.setdefault(row["model"], []).append(row)
    if len(told["series"]) < SAME_UNIT:
        return []
    head = ["| model, mean of containers | CRPS | MSE | 80 % covers | 95 % covers |", "|---|---|---|---|---|"]
    names = ("crps", "mse", "coverage80", "coverage95")
    means = {model: [sum(row[name] for row in found) / len(found) for name in names] for model, found in rows.items()}
    whole = {model: values for model, values in means.items() if len(rows[model]) == len(told["series"])}
    ordered = sorted(whole.items(), key=lambda item: item[1][0])
    return head + [f"| {model} | {' | '.join(f'{value:.4f}' for value in values)} |" for model, values in ordered]


def _by_series(told: Mapping[str, Any]) -> list[str]:
    head = (
        "| series | model | CRPS | MSE | wQL | MASE | 80 % covers | 95 % covers | peak q95 exceeded | cost 19:1 | ms |"
    )
    lines = [head, "|" + "---|" * 11]
    for series in told["series"]:
        ordered = sorted(series["models"], key=lambda row: row["crps"])
        lines += [f"| {series['group']} | {row['model']} | {' | '.join(_figures(row))} |" for row in ordered]
    return lines


def _figures(row: Mapping[str, Any]) -> Row:
    return (
        f"{row['crps']:.4g}",
        f"{row['mse']:.4g}",
        _number(row["wql"]),
        _number(row["mase"]),
        f"{row['coverage80']:.3f}",
        f"{row['coverage95']:.3f}",
        f"{row['peak_q95_exceeded']:.3f}",
        _number(row["decision_cost"]),
        f"{row['predict_ms']:.1f}",
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _ran(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """How models that learn were run."""
    terms = {cell["model"]: cell.get("terms") for cell in cells if cell.get("terms")}
    told = [f"{model}: {found['seeds']} seeds, {found['fits']} fits" for model, found in sorted(terms.items())]
    origins = sorted({len(cell["origins"]) for cell in cells})
    counted = f"{origins[0]} to {origins[-1]}" if len(origins) > 1 else f"{origins[0]}"
    return [f"Origins per series: {counted}." + (f" Learned: {'; '.join(told)}." if told else "")]
