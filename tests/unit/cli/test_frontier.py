import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from staged import SERVICE

from foretide.cli import frontier as command
from foretide.cli import main

SCENARIO: dict[str, Any] = {
    "workload": {"mean_rps": 20.0, "day_s": 240.0, "bursts_per_day": 0},
    "deployment": {"model": "Llama-3.1-8B", "gpu": "H100"},
    "objective": {"ttft": {"threshold": "500ms"}, "tpot": {"threshold": "25ms"}},
    "cold_start": {"tiers": {"warm": {"median_s": 40}}},
    "limits": {"max": 4},
}
Ran = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Exit code, stdout and stderr of the command; what a replica carries is given, not measured."""
    monkeypatch.setattr("foretide.simulator.bench.service_model", lambda **_: SERVICE)
    if "frontier" not in {known.name for known in main.app.registered_commands}:
        monkeypatch.setattr(main.app, "registered_commands", [*main.app.registered_commands])
        command.register(main.app)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.run(["frontier", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(SCENARIO))
    return file


def test_the_command_brings_its_own_register() -> None:
    app = typer.Typer()
    command.register(app)
    assert [known.name for known in app.registered_commands] == ["frontier"]


def test_a_frontier_prints_a_table_and_writes_three_files(ran: Ran, path: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    code, printed, _ = ran(path, "--policy", "static,hpa", "--out", out, "--seeds", 2, "--budget", 3)
    assert code == 0
    assert {file.name for file in out.iterdir()} == {"frontier.json", "frontier.svg", "frontier.png"}
    lines = printed.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert [line.split()[0] for line in lines[2:4]] == ["static", "hpa"]
    assert "Fewer than 5 seeds" in printed


def test_the_json_has_every_field_of_the_contract(ran: Ran, path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, err = ran(
        path, "--policy", "static,oracle", "--out", out, "--seeds", 1, "--budget", 3,
        "--attainment", "0.95,0.9999999", "-o", "json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    told = json.loads((out / "frontier.json").read_text())
    assert json.loads(printed) == told
    assert [row["policy"] for row in told["policies"]] == ["static", "oracle"]
    for row in told["policies"]:
        assert set(row["matched"]) == {"0.95", "0.9999999"}
        assert all(set(point) == {"knob", "gpu_hours", "joint"} for point in row["points"])
    assert told["policies"][0]["knob"] == "replicas"
    assert told["policies"][0]["ratio"]["0.95"]["value"] == 1.0


def test_a_promise_that_no_setting_keeps_has_no_hours(ran: Ran, tmp_path: Path) -> None:
    file = tmp_path / "few.yaml"
    file.write_text(yaml.safe_dump(SCENARIO | {"limits": {"max": 1}, "workload": {"mean_rps": 60.0, "day_s": 120.0}}))
    code, printed, _ = ran(file, "--policy", "static", "--out", tmp_path / "out", "--seeds", 1)
    assert code == 0
    told = json.loads((tmp_path / "out" / "frontier.json").read_text())
    assert told["policies"][0]["matched"] == {"0.99": None, "0.95": None}
    assert told["policies"][0]["tuned"] == {"0.99": None, "0.95": None}
    assert "-: no setting reaches this attainment." in printed


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--policy", "hpaa"], "--policy: hpaa: no such policy; there are static,"),
        (["--policy", ","], "--policy: no such policy; there are static,"),
        (["--policy", "static", "--attainment", "99%"], "--attainment: 99%: give shares above 0 and below 1"),
        (["--policy", "static", "--attainment", "99"], "--attainment: 99: give shares above 0 and below 1"),
        (["--policy", "static", "--seeds", "0"], "--seeds: 0: give at least 1"),
        (["--policy", "static", "--jobs", "0"], "--jobs: 0: give at least 1 process"),
        (["--policy", "static", "--jobs", "2", "--scheduler", "tcp://a:1"], "--jobs: 2: a cluster has workers of its"),
        (["--policy", "static", "--reference", "hpa"], "--reference: hpa: not among the policies compared"),
    ],
)
def test_a_bad_argument_is_one_line(ran: Ran, path: Path, tmp_path: Path, arguments: list[str], line: str) -> None:
    code, out, err = ran(path, *arguments, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err.startswith(f"foretide: {line}")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("policies", "line"),
    [
        ({"hpa": {"aim": [3]}}, "policies.hpa.aim: there is no such setting; there are target"),
        ({"hpa": {"target": [0]}}, "policies.hpa.target: 0: give a finite number above 0"),
        ({"hpaa": {"target": [5]}}, "policies.hpaa: no such policy; did you mean hpa? there are static,"),
    ],
)
def test_a_setting_that_a_policy_does_not_have_is_one_line(
    ran: Ran, tmp_path: Path, policies: dict[str, Any], line: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(SCENARIO | {"policies": policies}))
    code, _, err = ran(file, "--policy", "hpa", "--out", tmp_path / "out", "--jobs", 2)
    assert code == 2
    assert err.startswith(f"foretide: {line}")


def test_a_folder_that_cannot_be_written_is_one_line(ran: Ran, path: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    code, _, err = ran(path, "--policy", "static", "--out", tmp_path / "taken")
    assert code == 2
    assert err.startswith("foretide: --out: ")


def row(**changes: Any) -> dict[str, Any]:
    usual = {"policy": "hpa", "matched": {"0.99": 4.0}, "exceeds": [], "ratio": {"0.99": None}}
    return usual | changes


@pytest.mark.parametrize(
    ("changes", "cells"),
    [
        ({}, ["4.00", "-"]),
        ({"matched": {"0.99": None}}, ["-", "-"]),
        ({"exceeds": ["0.99"], "ratio": {"0.99": {"value": 0.8, "low": None, "high": None}}}, ["≤4.00", "0.80"]),
        ({"ratio": {"0.99": {"value": 0.8, "low": 0.75, "high": 0.852}}}, ["4.00", "0.80 (0.75-0.85)"]),
    ],
)
def test_a_cell_says_what_is_known(changes: dict[str, Any], cells: list[str]) -> None:
    told = {"scenario": "s", "seeds": [0], "wall_seconds": 1.0, "attainments": [0.99], "reference": "hpa"}
    shown = command.table(told | {"policies": [row(**changes)]})
    assert [next(iter(column.cells)) for column in shown.columns] == ["hpa", *cells]
