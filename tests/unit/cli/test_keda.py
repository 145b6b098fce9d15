"""`foretide keda`: a ScaledObject that KEDA follows at once, and whose failures never cost capacity."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from foretide.cli.main import run

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "inferenceautoscaler.yaml"


def written(folder: Path, *, status: dict[str, Any] | None = None, **spec: Any) -> Path:
    body = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    body["metadata"]["namespace"] = "prod"
    body["spec"] |= {"actuation": "keda"} | spec
    if status is not None:
        body["status"] = status
    file = folder / "llama.yaml"
    file.write_text(yaml.safe_dump(body), encoding="utf-8")
    return file


def keda(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run(["keda", *map(str, arguments)])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_the_whole_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = keda(capsys, written(tmp_path))
    assert code == 0
    assert yaml.safe_load(out) == {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "llama", "namespace": "prod"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
            "pollingInterval": 15,
            "cooldownPeriod": 300,
            "minReplicaCount": 1,
            "maxReplicaCount": 16,
            "advanced": {
                "horizontalPodAutoscalerConfig": {
                    "behavior": {
                        "scaleUp": {
                            "stabilizationWindowSeconds": 0,
                            "policies": [{"type": "Pods", "value": 16, "periodSeconds": 15}],
                        },
                        "scaleDown": {
                            "stabilizationWindowSeconds": 0,
                            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
                        },
                    }
                }
            },
            "triggers": [
                {
                    "type": "external-push",
                    "metricType": "AverageValue",
                    "metadata": {
                        "scalerAddress": "foretide-keda.foretide.svc:9091",
                        "autoscaler": "llama",
                        "pool": "main",
                    },
                }
            ],
            "fallback": {"failureThreshold": 3, "replicas": 16, "behavior": "currentReplicasIfHigher"},
        },
    }


@pytest.mark.parametrize(
    ("status", "count"),
    [
        ({"pools": [{"current": 3, "desired": 5}]}, 5),
        ({"pools": [{"current": 5, "desired": 3}]}, 5),
        ({"pools": [{"current": 40, "desired": 16}]}, 16),
        ({"pools": [{"current": 0, "desired": 0}]}, 1),
        ({"pools": []}, 16),
        ({}, 16),
    ],
)
def test_the_fallback_is_the_last_safe_count_and_without_one_the_most(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: dict[str, Any], count: int
) -> None:
    _, out, _ = keda(capsys, written(tmp_path, status=status))
    assert yaml.safe_load(out)["spec"]["fallback"]["replicas"] == count


@pytest.mark.parametrize("options", [["--fallback", "none"], ["--keda-version", "2.16.1"]])
def test_without_a_fallback_keda_holds_and_the_advice_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    code, out, advice = keda(capsys, written(tmp_path), *options)
    assert code == 0
    assert "fallback" not in yaml.safe_load(out)["spec"]
    assert "it has no fallback: while there is no answer, KEDA leaves the count as it is" in advice


def test_advice_says_how_to_apply_it_and_what_hpa_tolerates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    _, _, advice = keda(capsys, file)
    assert f"foretide keda {file} | kubectl apply -f -" in advice
    assert "above ten replicas a step of one may wait" in advice


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fallback", "0"], "--fallback: 0: write a count between 1 and 16, or none"),
        (["--fallback", "17"], "--fallback: 17: write a count between 1 and 16"),
        (["--keda-version", "two"], "--keda-version: two: write it like 2.17"),
        (["--keda-version", "2.1"], "2.13 is the oldest"),
        (["--address", "http://x:1"], "--address: http://x:1: write HOST:PORT"),
        (["--address", "x:0"], "--address: x:0: write HOST:PORT"),
    ],
)
def test_bad_options_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    code, out, complaint = keda(capsys, written(tmp_path), *options)
    assert (code, out) == (2, "")
    assert words in complaint
    assert complaint.count("\n") == 1


def test_a_resource_that_writes_by_itself_gets_no_scaled_object(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, complaint = keda(capsys, EXAMPLE)
    assert (code, out) == (2, "")
    assert "spec.actuation: scale: set `actuation: keda` first" in complaint


def test_what_is_no_resource_of_ours_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text("kind: Pod", encoding="utf-8")
    assert keda(capsys, file)[2] == "foretide: kind: Pod: give a manifest of InferenceAutoscalers alone\n"
    assert "spec.objective" in keda(capsys, written(tmp_path, objective={}))[2]
