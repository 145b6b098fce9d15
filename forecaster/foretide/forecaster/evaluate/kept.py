"""Cells in short, as a table that a repository can hold: figures, and losses summed over blocks of time, rounded.

A row per series and model. The sums are what ratios and their intervals are computed from, so that a page can be
written again from the table alone. What was left out has a row too, with the reason. A row without sums, whose `note`
says why, still has its ratios, without an interval.

What is NOT promised: tests by origin, step or path. They need the cells.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from foretide.forecaster.evaluate.relative import DAY_S, blocks_of
from foretide.policies.flow import Floats

FIGURES: Final = (
    "crps", "wql", "mase", "mse", "crps_sum", "energy", "variogram", "decision_cost", "decision_cost_4",
    "decision_cost_99", "peak_pinball95", "peak_pinball99", "coverage50", "coverage80", "coverage95",
    "peak_coverage80", "peak_coverage95", "peak_q95_exceeded", "pit_deviation", "peak_pit_deviation", "fit_seconds",
    "predict_ms",
)  # fmt: skip
SUMMED: Final = ("crps", "wql", "decision_cost", "exceeded")
"""Losses by origin whose sums over blocks are kept."""
COUNTED: Final = "scored"
"""How many origins of each block had an outcome of the whole horizon."""
COLUMNS: Final = (
    "series", "model", "origins", *FIGURES, "seeds", "fits", *(f"blocks_{name}" for name in (*SUMMED, COUNTED)),
    "note", "left_out",
)  # fmt: skip
Row = dict[str, str]
Cell = Mapping[str, Any]


def row_of(cell: Cell) -> Row:
    """The cell of `run.compared`, or one that says why it was left out, as a row of the table."""
    named = {"series": cell["group"], "model": cell["model"]}
    if "left_out" in cell:
        return dict.fromkeys(COLUMNS, "") | named | {"left_out": str(cell["left_out"])}
    terms = cell.get("terms") or {}
    told = {name: _number(cell["figures"].get(name, float("nan"))) for name in FIGURES}
    ran = {"origins": str(len(cell["origins"])), "seeds": str(terms.get("seeds", ""))}
    return dict.fromkeys(COLUMNS, "") | named | ran | told | _summed(cell) | {"fits": str(terms.get("fits", ""))}


def _summed(cell: Cell) -> Row:
    _, block = np.unique(blocks_of(np.asarray(cell["at_s"])), return_inverse=True)
    told = {}
    for name in SUMMED:
        values = np.asarray(cell["by_origin"][name], dtype=np.float64)
        told[f"blocks_{name}"] = _numbers(
            np.asarray(np.bincount(block, weights=np.nan_to_num(values)), dtype=np.float64)
        )
    known = np.isfinite(np.asarray(cell["by_origin"]["exceeded"], dtype=np.float64))
    return told | {
        f"blocks_{COUNTED}": _numbers(
            np.asarray(np.bincount(block, weights=known.astype(np.float64)), dtype=np.float64)
        )
    }


def cell_of(row: Row) -> dict[str, Any]:
    """What `summary` and its like need: figures, and each block as if it were one origin a day after the last."""
    if row["left_out"]:
        return {"group": row["series"], "model": row["model"], "left_out": row["left_out"]}
    by_block = {name: [float(value) for value in row[f"blocks_{name}"].split()] for name in (*SUMMED, COUNTED)}
    by_block = by_block if by_block[COUNTED] else {}
    terms = {"seeds": int(row["seeds"]), "fits": int(row["fits"])} if row["seeds"] else {}
    return {
        "group": row["series"],
        "model": row["model"],
        "figures": {name: float(row[name] or "nan") for name in FIGURES},
        "by_origin": by_block,
        "at_s": [DAY_S * place for place in range(len(by_block.get(COUNTED, [])))],
        "origins": list(range(int(row["origins"]))),
        "terms": terms,
        "note": row["note"],
    }


def read_table(path: Path) -> list[Row]:
    """The rows of the table; none where there is no file. Raises ValueError where its columns are others."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{path}: columns are not those of this version; delete it and keep the cells again")
    return rows


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Sorted by series and model, so that the same cells are the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (row["series"], row["model"])))


def merged(rows: Sequence[Row], newer: Sequence[Row]) -> list[Row]:
    """Each series and model once, the newer row where there are two; a cell is never replaced by its having none."""
    known = {(row["series"], row["model"]): row for row in rows}
    for row in newer:
        place = (row["series"], row["model"])
        if not row["left_out"] or place not in known or known[place]["left_out"]:
            known[place] = row
    return list(known.values())


def _number(value: float) -> str:
    return f"{value:.5g}" if np.isfinite(value) else ""


def _numbers(values: Floats) -> str:
    return " ".join(_number(value) for value in values.tolist())
