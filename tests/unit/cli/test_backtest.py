"""`foretide backtest` says in one line what keeps it from looking back. The whole of it runs in tests/e2e."""

from pathlib import Path

import pytest
import yaml
from paired import paired

from foretide.cli.backtest import backtest_command
from foretide.cli.problems import BadInput

AUTOSCALER = {
    "apiVersion": "autoscaling.foretide.io/v1alpha1",
    "kind": "InferenceAutoscaler",
    "metadata": {"name": "llama", "namespace": "prod"},
    "spec": {
        "model": "Llama-3.1-8B",
        "objective": {"ttft": {"threshold": "500ms"}},
        "pools": [{"targetRef": {"name": "llama"}, "accelerator": "H100", "maxReplicas": 4}],
    },
}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "llama.yaml"
    path.write_text(yaml.safe_dump(AUTOSCALER))
    return path


def refusal(manifest: Path, **changes: str) -> str:
    usual = {"prometheus": "http://127.0.0.1:1", "target": "prod/llama", "since": "1h"}
    with pytest.raises(BadInput) as found:
        backtest_command(**usual | changes, manifest=manifest, out=manifest.parent / "out")  # type: ignore[arg-type]
    return str(found.value)


def test_a_prometheus_that_is_not_there_is_one_line(manifest: Path) -> None:
    assert refusal(manifest).startswith("--target: prod/llama: no demand in 1 h; check the name, the source")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"since": "2"}, "--since: 2: '2' has no unit"),
        ({"since": "30s"}, "--since: 30s: give 10m to 720h"),
        ({"cold_start": "soon"}, "--cold-start: soon: 'soon' has no unit"),
        ({"prometheus": "prometheus:9090"}, "--prometheus: prometheus:9090: "),
        ({"target": "prod/other"}, "--target: prod/other: "),
    ],
)
def test_bad_input_names_the_field_the_value_and_the_fix(manifest: Path, changes: dict[str, str], line: str) -> None:
    assert refusal(manifest, **changes).startswith(line)


def test_two_pools_are_not_replayed(manifest: Path) -> None:
    manifest.write_text(yaml.safe_dump(AUTOSCALER | {"spec": paired()["spec"]}))
    assert "has two pools, and one is replayed; name a target of one" in refusal(manifest)


def test_a_manifest_that_makes_no_sense_names_its_field(manifest: Path) -> None:
    manifest.write_text(yaml.safe_dump(AUTOSCALER | {"spec": AUTOSCALER["spec"] | {"objective": {}}}))  # type: ignore[operator]
    assert "spec.objective: declares nothing" in refusal(manifest)
