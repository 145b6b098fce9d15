"""summary.json of a comparison: figures per series and model, and every model relative to the usual rules.

What is NOT promised: that ratios of two models are over the same series where one of them failed on some. `series`
counts them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foretide.forecaster.evaluate.baselines.catalogue import SIMPLE_NAMES
from foretide.forecaster.evaluate.relative import best_of, bootstrap, diebold_mariano, geometric_mean, ratios

REFERENCE = "seasonal-naive"
COMPARED = (
    "crps", "wql", "mase", "mse", "crps_sum", "energy", "variogram", "peak_pinball95", "peak_pinball99",
    "decision_cost", "decision_cost_4", "decision_cost_99",
)  # fmt: skip
"""Scores of which a ratio means something."""
TESTED = ("crps", "wql", "decision_cost")
"""Scores kept by origin: with intervals and a test."""

Cell = Mapping[str, Any]


def summary(cells: Sequence[Cell], *, seed: int = 0) -> dict[str, Any]:
    """`series` and `relative` as the command's contract has them; `against_best_simple` has intervals and tests."""
    groups = list(dict.fromkeys(cell["group"] for cell in cells))
    return {
        "series": [
            {"group": group, "models": [_row(cell) for cell in cells if cell["group"] == group]} for group in groups
        ],
        "relative": _against_reference(cells),
        "best_simple": _best(cells),
        "against_best_simple": _against_best(cells, seed),
    }


def table_of(cells: Sequence[Cell], score: str) -> dict[str, dict[str, float]]:
    """Scores by model, then by series."""
    table: dict[str, dict[str, float]] = {}
    for cell in cells:
        table.setdefault(cell["model"], {})[cell["group"]] = float(cell["figures"][score])
    return table


def _row(cell: Cell) -> dict[str, Any]:
    seeds = cell.get("crps_by_seed", [])
    spread = {"crps_seed_sd": float(np.std(seeds, ddof=1))} if len(seeds) > 1 else {}
    shown = {name: None if np.isnan(value) else value for name, value in cell["figures"].items()}
    return {"model": cell["model"], **shown, **spread, "origins": len(cell["origins"])}


def _against_reference(cells: Sequence[Cell]) -> dict[str, dict[str, float]]:
    told: dict[str, dict[str, float]] = {}
    for score in COMPARED:
        table = table_of(cells, score)
        reference = table.get(REFERENCE, {})
        for model, scores in table.items():
            found = ratios(scores=scores, reference=reference)
            if found:
                told.setdefault(model, {})[score] = geometric_mean(found)
                told[model]["series"] = len(found)
    return told


def _best(cells: Sequence[Cell]) -> dict[str, dict[str, str]]:
    """Per tested score and series, the simple rule that is best there in hindsight."""
    return {
        score: {group: name for group, (name, _) in best_of(table_of(cells, score), SIMPLE_NAMES).items()}
        for score in TESTED
    }


def _against_best(cells: Sequence[Cell], seed: int) -> dict[str, dict[str, Any]]:
    """Per model and score: ratio to each series' best simple rule, its 95 % interval, one test per series."""
    by_key = {(cell["model"], cell["group"]): cell for cell in cells}
    told: dict[str, dict[str, Any]] = {}
    for score, best in _best(cells).items():
        for model in dict.fromkeys(cell["model"] for cell in cells):
            pairs = [
                (by_key[model, group], by_key[name, group]) for group, name in best.items() if (model, group) in by_key
            ]
            if pairs:
                told.setdefault(model, {})[score] = compared_pairs(pairs, score, seed)
    return told


def compared_pairs(pairs: Sequence[tuple[Cell, Cell]], score: str, seed: int) -> dict[str, Any]:
    """The first of each pair against the second, on their common origins; no interval where a cell has only figures."""
    if not all(cell["by_origin"] for pair in pairs for cell in pair):
        found = [one["figures"][score] / other["figures"][score] for one, other in pairs]
        return {"ratio": geometric_mean(found), "low": np.nan, "high": np.nan, "p": {}, "series": len(pairs)}
    one = [np.asarray(cell["by_origin"][score]) for cell, _ in pairs]
    other = [np.asarray(cell["by_origin"][score]) for _, cell in pairs]
    at = [np.asarray(cell["at_s"]) for cell, _ in pairs]
    interval = bootstrap(losses=one, reference=other, at_s=at, seed=seed)
    tests = {
        cell["group"]: diebold_mariano(losses=first, other=second, lags=1)[1]
        for (cell, _), first, second in zip(pairs, one, other, strict=True)
    }
    return {"ratio": interval.ratio, "low": interval.low, "high": interval.high, "p": tests, "series": len(pairs)}
