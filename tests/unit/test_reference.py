"""The reference pages are those of this code, and the site names every page."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NOT_ON_THE_SITE = {"site", "scenarios", "examples"}


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "site" / "reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_pages_are_what_is_made_now(reference: ModuleType) -> None:
    for name, text in reference.pages().items():
        assert (DOCS / "reference" / name).read_text(encoding="utf-8") == text, "run `make reference`"


def test_they_name_every_command_and_every_field_that_matters(reference: ModuleType) -> None:
    pages = reference.pages()
    for heading in ("## foretide operator\n", "## foretide forecast fine-tune\n", "## foretide dev twin\n"):
        assert heading in pages["cli.md"]
    for field in ("`spec.mode`", "`spec.pools[].targetRef.name*`", "`status.pools[].desired`", "`status.conditions`"):
        assert field in pages["resource.md"]
    assert not re.search(r"/root|/home", pages["cli.md"])


def test_every_page_is_in_the_sites_navigation_and_the_other_way_round() -> None:
    named = re.findall(r"^ +- (\S+\.md)$", (DOCS.parent / "mkdocs.yml").read_text(), re.MULTILINE)
    there = [
        path.relative_to(DOCS) for path in DOCS.rglob("*.md") if path.relative_to(DOCS).parts[0] not in NOT_ON_THE_SITE
    ]
    assert sorted(named) == sorted(map(str, there))
