"""The page of forecasters says what its tables hold: targets met and missed, misses by name."""

from pathlib import Path
from typing import Any

import forecast_kept
import forecast_page
import forecast_targets as targets
import pytest

from foretide.forecaster.evaluate.kept import FIGURES, cell_of, read_table, row_of, write_table


def cell(group: str, model: str, **figures: float) -> dict[str, Any]:
    """Forty origins, an hour apart, each with the mean loss."""
    usual = {"crps": 1.0, "wql": 1.0, "decision_cost": 1.0, "peak_q95_exceeded": 0.05}
    told = dict.fromkeys(FIGURES, 0.5) | {"coverage80": 0.8, "coverage95": 0.95} | usual | figures
    scores = {"crps": "crps", "wql": "wql", "decision_cost": "decision_cost", "exceeded": "peak_q95_exceeded"}
    return {
        "group": group,
        "model": model,
        "figures": told,
        "by_origin": {name: [told[figure]] * 40 for name, figure in scores.items()},
        "at_s": [3600.0 * hour for hour in range(40)],
        "origins": list(range(40)),
    }


CELLS = [
    *(cell(group, "naive") for group in ("a", "b")),
    *(cell(group, "ets", crps=0.5) for group in ("a", "b")),
    cell("a", "pooled", crps=0.5, wql=0.8, decision_cost=0.9),
    cell("b", "pooled", crps=0.53, wql=0.8, decision_cost=0.9, coverage80=0.83, peak_q95_exceeded=0.061),
    cell("a", "deepar", crps=0.6, decision_cost=0.82),
    cell("b", "deepar", crps=0.6, decision_cost=0.82),
]


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(forecast_kept, "FOLDER", tmp_path / "forecasts")
    monkeypatch.setattr(forecast_page, "PAGE", tmp_path / "forecasts.md")
    left = {"group": "a", "model": "mstl", "left_out": "it takes more than 9 s of a processor"}
    write_table(tmp_path / "forecasts/minute-15.csv", [row_of(each) for each in (*CELLS, left)])
    return tmp_path


def test_the_page_is_written_from_the_tables_alone(tables: Path) -> None:
    forecast_page.write_page()
    page = (tables / "forecasts.md").read_text()
    assert "| wQL at most 0.82 x the best rule | 0.800 met | pooled 0.800 met |" in page
    assert "| decision cost at most 0.75 x the best rule | 0.900 **missed** | deepar 0.820 **missed** |" in page
    assert "| deepar | pooled | 0.86 / **1.10** |" in page
    assert "mstl on a (it takes more than 9 s of a processor)" in page
    assert page.count("## ") == 2
    forecast_page.write_page()
    assert (tables / "forecasts.md").read_text() == page


def test_a_model_without_a_row_is_named_as_not_run(tables: Path) -> None:
    forecast_page.write_page()
    (line,) = [line for line in (tables / "forecasts.md").read_text().splitlines() if "Not run" in line]
    absent = line.partition("Not run, for want of time: ")[2].rstrip(".").split(", ")
    assert {"flow", "gaussian-head", "patchtst"} <= set(absent)
    assert not {"naive", "ets", "pooled", "deepar", "mstl"} & set(absent)


def test_a_pool_worse_than_its_best_tier_is_named(tables: Path) -> None:
    (line,) = targets.worst_of_pools([cell_of(row_of(each)) for each in CELLS])
    assert line == ("- `pooled` at most 1.02 x the best tier: 1 of 2 series. a 1.000 (ets), **b 1.060 (ets)**.")


def test_a_band_that_is_missed_is_bold_and_its_interval_is_told() -> None:
    lines = targets.bands([cell_of(row_of(each)) for each in CELLS])
    assert lines[2] == "| a | pooled | 0.800 | 0.950 | 5.0% (5.0% to 5.0%) |"
    assert targets.missed(CELLS) == [
        "- `pooled` keeps all three bands of calibration on 1 of 2 series. Missed: b (80 %, peak)."
    ]
    assert lines[3] == "| b | pooled | **0.830** | 0.950 | **6.1%** (6.1% to 6.1%) |"


def test_cells_of_an_earlier_run_stay_until_newer_ones_come(tables: Path, tmp_path: Path) -> None:
    import json

    folder = tmp_path / "cells"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps(cell("a", "ets", crps=0.4)))
    assert forecast_kept.keep("minute-15", folder) == len(CELLS) + 1
    rows = {(row["series"], row["model"]): row for row in read_table(forecast_kept.table_of("minute-15"))}
    assert rows["a", "ets"]["crps"] == "0.4"
    assert rows["b", "ets"]["crps"] == "0.5"
