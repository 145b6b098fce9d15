"""`foretide dev` where nothing runs: what it refuses, and in which words. The bed itself is in tests/apiserver."""

from pathlib import Path

import pytest

from foretide.cli import main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FORETIDE_HOME", str(tmp_path / "bed"))
    monkeypatch.setenv("FORETIDE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "bed"


def ends_with(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main.run(("dev", *arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("up", "--start-delay", "20"), ("--start-delay", "20", "with its unit")),
        (("up", "--gpu-nodes", "-1"), ("--gpu-nodes", "0")),
        (("status",), ("nothing is up", "foretide dev up")),
        (("traffic", "chat", "--requests", "day.csv"), ("target", "chat", "NAMESPACE/NAME")),
        (("traffic", "default/chat", "--requests", "none.csv"), ("path: none.csv: ", "name a file that can be read")),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with(*arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("trace", "line"),
    [
        ("", "foretide: size: 0 bytes: day.csv is empty"),
        ("arrival_s,prompt_tokens\n0,1\n", "arrival_s, prompt_tokens: for foretide output_tokens missing"),
        (
            "arrival_s,prompt_tokens,output_tokens\n0,1,1\n2,1,1\n1,1,1\n",
            "in row 3 of day.csv: lies before the row above it; sort",
        ),
        ("arrival_s,prompt_tokens,output_tokens\n-1,1,1\n", "foretide: arrival_s: -1 in row 1 of day.csv: is negative"),
        ("arrival_s,prompt_tokens,output_tokens\n0,1,1\n", "nothing is up here; run `foretide dev up`"),
    ],
)
def test_a_bad_trace_is_told_before_a_twin_starts(
    trace: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "day.csv").write_text(trace)
    assert ends_with("traffic", "default/chat", "--requests", str(tmp_path / "day.csv")) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1


def test_down_where_nothing_is_up_is_no_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with("down") == 0
    assert f"nothing is up in {home}" in capsys.readouterr().out


def test_a_folder_of_somebody_else_is_not_taken(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    (home / "thesis.tex").write_text("")
    assert ends_with("up") == 2
    assert "FORETIDE_HOME" in capsys.readouterr().err
    assert (home / "thesis.tex").exists()
