"""The engines that are known: one list for the API, the operator and the reader of the documentation."""

from pathlib import Path
from typing import get_args

import yaml

from foretide.operator.engines import ENGINES
from foretide.operator.engines.written import Engine, WrittenQueries
from foretide.operator.schema import crd_path

DOCS = Path(__file__).parents[4] / "docs" / "engines.md"


def test_schema_operator_and_tables_know_the_same_engines_and_queries() -> None:
    crd = yaml.safe_load(crd_path().read_text(encoding="utf-8"))
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert spec["engine"]["enum"] == list(get_args(Engine)) == list(ENGINES)
    queries = spec["metrics"]["properties"]["queries"]["properties"]
    assert list(queries) == [field.alias for field in WrittenQueries.model_fields.values()]


def test_the_documentation_names_every_metric_of_every_engine() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for preset in ENGINES.values():
        assert f"`{preset.engine}`" in text
        for signal in preset.signals:
            for metric in signal.metrics:
                name = metric.name
                if signal.word in ("gap_s", "gaps", "ttft_s"):
                    name = name.removesuffix("_sum").removesuffix("_count")
                assert name in text, f"{preset.engine}: {name}"
