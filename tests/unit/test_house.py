"""The house itself: what may never exist, and how large a part may grow."""

import ast
import operator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("policies", "forecaster", "simulator", "operator", "cli")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
LONG_FILE, LONGEST_FILE, LONGEST_FUNCTION = 300, 400, 40


def test_no_room_shadows_the_standard_library_or_the_namespace() -> None:
    forbidden = [ROOT / room / "__init__.py" for room in ROOMS] + [
        ROOT / room / "foretide/__init__.py" for room in ROOMS
    ]
    assert [path for path in (*forbidden, ROOT / "foretide") if path.exists()] == []
    assert "site-packages" not in str(operator.__file__)
    assert Path(str(operator.__file__)).name == "operator.py"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def test_long_files_are_the_exception() -> None:
    long = [path for path in SOURCES if len(path.read_text().splitlines()) > LONG_FILE]
    assert len(long) <= 0.05 * len(SOURCES), long


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_does_one_thing(path: Path) -> None:
    """The signature does not count: the options of a command are arguments."""
    long = [
        f"{node.name} has {node.end_lineno - node.body[0].lineno + 1} lines"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.body[0].lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


def test_no_pickle_anywhere() -> None:
    words = ("import pickle", "from pickle", "cloudpickle", "import joblib", "torch.load(")
    assert [str(path) for path in SOURCES if any(word in path.read_text() for word in words)] == []


def test_lock_files_have_hashes_and_name_no_index() -> None:
    for lock in (ROOT / "lock").glob("*.txt"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index-url" not in text
