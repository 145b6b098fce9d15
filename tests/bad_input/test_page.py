"""The page of bad inputs tells what is tested: every number once, and only tests that exist."""

import ast
from functools import cache

import pytest
from bad_input.catalogue import CASES
from bad_input.page import PAGE, TESTS, page


def test_every_number_stands_once_and_in_order() -> None:
    assert [case.number for case in CASES] == list(range(1, 62))


def test_the_page_is_what_the_catalogue_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run PYTHONPATH=tests python tests/bad_input/page.py"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number:02d}")
def test_what_has_no_test_says_that_it_cannot_be_written(case) -> None:
    assert case.tests or "cannot be written here: " in case.found


@pytest.mark.parametrize("test", [test for case in CASES for test in case.tests])
def test_every_test_that_is_named_exists(test: str) -> None:
    path, _, name = test.partition("::")
    function, _, picked = name.removesuffix("]").partition("[")
    text, functions = _source(path)
    assert function in functions
    assert picked in text


@cache
def _source(path: str) -> tuple[str, frozenset[str]]:
    text = (TESTS / path).read_text(encoding="utf-8")
    found = ast.walk(ast.parse(text))
    return text, frozenset(node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
