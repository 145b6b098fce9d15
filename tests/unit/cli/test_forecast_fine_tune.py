"""`foretide forecast fine-tune` says in one line what keeps it from training."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from foretide.cli.forecast_fine_tune import _first, fine_tune
from foretide.cli.problems import BadInput

JOB = Path(__file__).parents[3] / "docs" / "examples" / "fine-tune-job.yaml"


def refusal(tmp_path: Path, **changes: Any) -> str:
    usual = {"prometheus": "http://127.0.0.1:1", "target": "prod/llama", "base": [tmp_path], "out": tmp_path, "days": 1}
    with pytest.raises(BadInput) as found:
        fine_tune(**usual | changes)
    return str(found.value)


def test_a_prometheus_that_is_not_there_or_knows_nothing_is_one_line(tmp_path: Path) -> None:
    assert "no demand in 1 days; check the name, the source" in refusal(tmp_path)


def test_a_target_without_a_namespace_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, target="llama") == "--target: llama: write NAMESPACE/NAME"


def test_an_address_or_interval_that_cannot_be_is_refused(tmp_path: Path) -> None:
    assert "write http(s)://HOST" in refusal(tmp_path, prometheus="prometheus:9090")
    assert "has no unit" in refusal(tmp_path, scrape_interval="15")


def test_the_first_folder_with_the_head_is_gone_on_from(tmp_path: Path) -> None:
    served, shipped = tmp_path / "served", tmp_path / "shipped"
    shipped.mkdir()
    assert _first([served, shipped], "replica") == shipped
    served.mkdir()
    (served / "node.json").touch()
    assert _first([served, shipped], "replica") == shipped
    (served / "replica.json").touch()
    assert _first([served, shipped], "replica") == served


def test_the_job_calls_the_command_with_options_that_it_has() -> None:
    spec = yaml.safe_load(JOB.read_text(encoding="utf-8"))["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    arguments = spec["containers"][0]["args"]
    assert arguments[:2] == ["forecast", "fine-tune"]
    options = {argument.split("=")[0].removeprefix("--") for argument in arguments[2:]}
    assert options <= set(fine_tune.__annotations__)
    assert {"prometheus", "target", "base", "out"} <= options
    mounted = {volume["name"] for volume in spec["volumes"]}
    assert {mount["name"] for mount in spec["containers"][0]["volumeMounts"]} <= mounted
