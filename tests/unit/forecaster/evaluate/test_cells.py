from pathlib import Path

from foretide.forecaster.evaluate.cells import Cells, terms_of
from foretide.forecaster.evaluate.protocol import Protocol

CELL = {"group": "a/b c", "model": "x:y", "figures": {"crps": 1.0}}


def test_a_cell_comes_back_under_the_same_terms_alone(tmp_path: Path) -> None:
    terms = terms_of(Protocol(context=9, horizon=3), history=0)
    Cells(tmp_path, terms).write(CELL)
    assert Cells(tmp_path, terms).read(group="a/b c", model="x:y") == CELL
    assert Cells(tmp_path, terms).read(group="a/b c", model="z") is None
    other = terms_of(Protocol(context=9, horizon=4), history=0)
    assert Cells(tmp_path, other).read(group="a/b c", model="x:y") is None


def test_a_cell_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    cells = Cells(tmp_path, {})
    cells.write(CELL)
    path = cells.path(group="a/b c", model="x:y")
    path.write_text(path.read_text()[:20])
    assert cells.read(group="a/b c", model="x:y") is None
