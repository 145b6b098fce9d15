"""`foretide validate`: each mistake is a line, and the exit code says whether there was one."""

from pathlib import Path

import pytest

from foretide.cli.main import run

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "inferenceautoscaler.yaml"
OURS = "kind: InferenceAutoscaler, apiVersion: autoscaling.foretide.io/v1alpha1"


def validate(capsys: pytest.CaptureFixture[str], *files: Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run(["validate", *map(str, files)])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_the_example_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    for example in (EXAMPLE, EXAMPLE.with_name("prefill-decode.yaml")):
        assert validate(capsys, example) == (0, f"{example}: llama is valid\n", "")


def test_every_mistake_is_one_line_with_field_value_and_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        EXAMPLE.read_text(encoding="utf-8")
        .replace("500ms", "500")
        .replace("maxReplicas", "minReplicas: 20, mxReplicas")
    )
    file = tmp_path / "wrong.yaml"
    file.write_text(text, encoding="utf-8")
    code, out, err = validate(capsys, file)
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        f"foretide: {file}: spec.objective.ttft.threshold: 500 has no unit; write a duration like 500ms, 25ms or 5m",
        f"foretide: {file}: spec.pools[0].maxReplicas: missing; it is required",
        f"foretide: {file}: spec.pools[0].mxReplicas: unknown field; did you mean maxReplicas?",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("a: [", "is not YAML"),
        ("kind: Deployment", "kind: Deployment: expected InferenceAutoscaler"),
        ("- 1", "kind: list: expected InferenceAutoscaler"),
        ("{kind: InferenceAutoscaler, apiVersion: v1}", "apiVersion: v1: expected autoscaling.foretide.io/v1alpha1"),
        ("{kind: InferenceAutoscaler, apiVersion: autoscaling.foretide.io/v1alpha1}", "metadata.name: missing"),
        ("kind: List", "items: write a list of resources"),
        ("{kind: List, items: 3}", "items: 3: write a list of resources"),
        (f"{{{OURS}, metadata: llama}}", "metadata: 'llama': write fields, like {name: llama}"),
        (f"{{{OURS}, metadata: {{name: 3}}}}", "metadata.name: 3: is no text; write it in quotes"),
    ],
)
def test_a_file_that_is_something_else_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(text, encoding="utf-8")
    code, _, err = validate(capsys, file)
    assert code == 2
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = validate(capsys, tmp_path / "nowhere.yaml")
    assert code == 2
    assert "nowhere.yaml" in err
