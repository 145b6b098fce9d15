from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretide.forecaster.evaluate.baselines.catalogue import ENTRIES
from foretide.forecaster.evaluate.kept import COLUMNS, cell_of, merged, read_table, row_of, write_table
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.protocol import Protocol
from foretide.forecaster.evaluate.run import compared
from foretide.forecaster.evaluate.summary import compared_pairs

Made = Callable[..., Series]
TERMS = Protocol(context=48, horizon=3, paths=64)


def cells(given: Series) -> list[dict[str, Any]]:
    return [compared(series=given, entry=ENTRIES[name], protocol=TERMS) for name in ("naive", "mixture")]


@pytest.mark.parametrize("score", ["crps", "wql", "decision_cost"])
def test_ratios_and_intervals_from_the_table_are_those_from_the_cells(series: Made, score: str) -> None:
    given = series(rows=1600)
    holed = given.values.copy()
    holed[1400:1420] = np.nan
    pair = cells(replace(given, values=holed))
    short = [cell_of(row_of(cell)) for cell in pair]
    long, told = (compared_pairs([(two[1], two[0])], score, 0) for two in (pair, short))
    assert [told[name] for name in ("ratio", "low", "high")] == pytest.approx(
        [long[name] for name in ("ratio", "low", "high")], rel=1e-3
    )


def test_a_row_keeps_the_figures_and_how_the_model_was_run(series: Made) -> None:
    cell = cells(series(rows=600))[0]
    again = cell_of(row_of({**cell, "terms": {"seeds": 3, "fits": 2}}))
    assert again["figures"]["crps"] == pytest.approx(cell["figures"]["crps"], rel=1e-4)
    assert again["figures"]["coverage80"] == pytest.approx(cell["figures"]["coverage80"], rel=1e-4)
    assert (len(again["origins"]), again["terms"]) == (len(cell["origins"]), {"seeds": 3, "fits": 2})
    exceeded = sum(again["by_origin"]["exceeded"]) / sum(again["by_origin"]["scored"])
    assert exceeded == pytest.approx(cell["figures"]["peak_q95_exceeded"], rel=1e-4)


def test_the_table_is_the_same_file_whatever_the_order(series: Made, tmp_path: Path) -> None:
    rows = [row_of(cell) for cell in cells(series(rows=600))]
    write_table(tmp_path / "a.csv", rows)
    write_table(tmp_path / "b.csv", rows[::-1])
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert sorted(map(str, read_table(tmp_path / "a.csv"))) == sorted(map(str, rows))
    assert read_table(tmp_path / "none.csv") == []


def test_a_newer_row_replaces_an_older_but_what_was_left_out_replaces_no_figures() -> None:
    old = dict.fromkeys(COLUMNS, "") | {"series": "a", "model": "m", "crps": "1"}
    gone = row_of({"group": "a", "model": "m", "left_out": "it takes longer than 9 s"})
    assert merged([old], [{**old, "crps": "2"}]) == [{**old, "crps": "2"}]
    assert merged([old], [gone]) == [old]
    assert merged([gone], [old]) == [old]
    assert cell_of(gone) == {"group": "a", "model": "m", "left_out": "it takes longer than 9 s"}


def test_a_table_of_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("series,model\na,b\n")
    with pytest.raises(ValueError, match=r"a\.csv: columns are not those of this version"):
        read_table(tmp_path / "a.csv")


def test_a_row_without_losses_over_time_has_its_ratio_and_no_interval(series: Made) -> None:
    naive, mixture = (row_of(cell) for cell in cells(series(rows=600)))
    bare = {name: "" if name.startswith("blocks_") else value for name, value in mixture.items()}
    told = compared_pairs([(cell_of({**bare, "note": "figures alone"}), cell_of(naive))], "crps", 0)
    assert told["ratio"] == pytest.approx(float(mixture["crps"]) / float(naive["crps"]))
    assert np.isnan([told["low"], told["high"]]).all()
    assert cell_of({**bare, "note": "figures alone"})["note"] == "figures alone"
