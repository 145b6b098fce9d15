"""The tables beside docs/benchmarks/forecasts.md that it is written from: a row per series and model, rounded.

What is NOT promised: that a row is of the code as it is. `keep` replaces the rows whose cells it finds, and leaves the
rest; delete a table to begin anew.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foretide.forecaster.evaluate.kept import cell_of, merged, read_table, row_of, write_table

FOLDER = Path(__file__).parents[1] / "docs/benchmarks/forecasts"


def table_of(family: str) -> Path:
    return FOLDER / f"{family}.csv"


def keep(family: str, cells: Path) -> int:
    """Puts the cells of a folder into the family's table; how many rows it has then."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(cells.glob("*.json"))]
    rows = merged(read_table(table_of(family)), [row_of(cell) for cell in found])
    if rows:
        write_table(table_of(family), rows)
    return len(rows)


def kept(family: str) -> tuple[list[dict[str, Any]], list[Mapping[str, Any]]]:
    """(cells, what was left out) of the family's table."""
    cells = [cell_of(row) for row in read_table(table_of(family))]
    return [cell for cell in cells if "left_out" not in cell], [cell for cell in cells if "left_out" in cell]
