"""docs/security.md: what it refers to is there, and a resource has no place for an address."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from foretide.operator.schema import crd_path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))))
def test_each_test_that_it_names_exists(path: str) -> None:
    assert (ROOT / path).is_file()


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield name, field
        yield from fields(field)
        yield from fields(field.get("items", {}))


WITHIN_ONE_OBJECT = {"fieldPath"}
"""A path to a number inside an object of the resource's own namespace; what it may lead through the tuner says."""


def test_a_resource_has_no_field_for_an_address_a_file_or_a_namespace() -> None:
    (version,) = yaml.safe_load(crd_path().read_text())["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    names = {name for name, _ in fields(spec)} - WITHIN_ONE_OBJECT
    assert not [
        name for name in names if re.search(r"(?i)url|address|host|file|path|token$|secret|namespace|header", name)
    ]


def test_the_name_of_a_source_cannot_be_an_address() -> None:
    (version,) = yaml.safe_load(crd_path().read_text())["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    source = spec["properties"]["metrics"]["properties"]["source"]
    assert re.fullmatch(source["pattern"], "default")
    assert not re.search(source["pattern"], "http://169.254.169.254/latest")
