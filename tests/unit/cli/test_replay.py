import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from foretide.cli import replay as command
from foretide.cli.main import run
from foretide.cli.problems import BadInput
from foretide.cli.replay import cache_folder, into, table, writable
from foretide.policies.flow import CapacityTable, ServiceModel, WorkPerUnit

SERVICE = ServiceModel(
    WorkPerUnit(1.0, 0.0, 0.0), CapacityTable((1,), (12.0,), ("tpot",)), "12 requests/s per replica", waiting_work_s=1.0
)
SCENARIO: dict[str, Any] = {
    "workload": {"mean_rps": 5.0, "day_s": 1200.0, "bursts_per_day": 0},
    "deployment": {"model": "Llama-3.1-8B", "gpu": "H100"},
    "objective": {"ttft": {"threshold": "500ms"}, "tpot": {"threshold": "25ms"}},
    "cold_start": {"tiers": {"warm": {"median_s": 40}}},
    "limits": {"max": 6},
}
Ran = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Exit code, stdout and stderr of the command; what a replica carries is given, not measured."""
    monkeypatch.setattr("foretide.simulator.bench.service_model", lambda **_: SERVICE)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run(["replay", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(SCENARIO))
    return file


def test_a_replay_prints_a_table_and_writes_three_files(ran: Ran, path: Path, tmp_path: Path) -> None:
    code, out, _ = ran(path, "--policy", "static,foretide", "--out", tmp_path / "new" / "out", "--seed", 3)
    assert code == 0
    assert {file.name for file in (tmp_path / "new" / "out").iterdir()} == {
        "summary.json",
        "decisions.jsonl",
        "report.html",
    }
    lines = out.splitlines()
    assert all(len(line) <= 80 for line in lines[:4])
    assert [line.split()[0] for line in lines[2:4]] == ["static", "foretide"]
    assert "GPU-hours" in lines[1]


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_the_summary_can_be_printed_for_machines(
    ran: Ran, path: Path, tmp_path: Path, output: str, read: Callable[[str], Any]
) -> None:
    code, out, err = ran(path, "--policy", "static", "--out", tmp_path / "out", "-o", output)
    assert (code, err) == (0, "")
    assert read(out) == json.loads((tmp_path / "out" / "summary.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--policy", "hpaa"], "--policy: hpaa: unknown policy; did you mean hpa? there are static, static-mean, hpa,"),
        (["--policy", "static,knativ"], "--policy: knativ: unknown policy; did you mean knative? there are static,"),
        (["--policy", ","], "--policy: (empty): none given; there are static,"),
        (["--policy", "static", "--train-until", "5 days"], "--train-until: 5 days: write a number with its unit"),
        (["--policy", "static", "--train-until", "9h"], "--train-until: 32400 s: the trace ends at"),
    ],
)
def test_a_bad_argument_is_one_line(ran: Ran, path: Path, tmp_path: Path, arguments: list[str], line: str) -> None:
    code, out, err = ran(path, *arguments, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err.startswith(f"foretide: {line}")
    assert len(err.splitlines()) == 1


def test_all_problems_of_a_scenario_are_on_one_line(ran: Ran, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(SCENARIO | {"limits": {"max": 0}, "train_fraction": 2}))
    code, _, err = ran(file, "--policy", "static", "--out", tmp_path / "out")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert err.startswith("foretide: limits.max: 0: ")
    assert "also wrong: train_fraction: 2: " in err


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "size: 0 bytes: r.csv is empty"),
        ("when\n1\n", "columns: when: r.csv has no known format"),
        ("arrival_s,prompt_tokens,output_tokens\n0,1,1\n5,1,1\n3,1,1\n", "arrival_s: "),
    ],
)
def test_a_bad_trace_is_one_line(ran: Ran, tmp_path: Path, content: str, line: str) -> None:
    (tmp_path / "r.csv").write_text(content)
    file = tmp_path / "file.yaml"
    kept = {name: value for name, value in SCENARIO.items() if name != "workload"}
    file.write_text(yaml.safe_dump(kept | {"requests": {"path": "r.csv"}}))
    code, _, err = ran(file, "--policy", "static", "--out", tmp_path / "out")
    assert code == 2
    assert err.startswith(f"foretide: {line}")
    assert len(err.splitlines()) == 1


def test_a_request_that_no_replica_can_hold_is_one_line(ran: Ran, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("arrival_s,prompt_tokens,output_tokens\n0,10,10\n5,900,200\n")
    file = tmp_path / "file.yaml"
    kept = {name: value for name, value in SCENARIO.items() if name != "workload"}
    deployment = SCENARIO["deployment"] | {"kv_tokens": 1000}
    file.write_text(yaml.safe_dump(kept | {"requests": {"path": "r.csv"}, "deployment": deployment}))
    code, _, err = ran(file, "--policy", "static", "--out", tmp_path / "out")
    assert code == 2
    assert err.startswith("foretide: deployment.kv_tokens: 1000: request 2 of 1100 tokens never fits")


def test_a_policy_that_asks_for_more_than_the_limits_allow_is_one_line(ran: Ran, tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text(yaml.safe_dump(SCENARIO | {"policies": {"static": {"replicas": [1e9]}}}))
    code, out, err = ran(file, "--policy", "static", "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err == (
        "foretide: policy static at the start: 1000000000: replicas must be a whole number from 0 to 6, or None\n"
    )


def test_a_folder_that_cannot_be_written_is_one_line(ran: Ran, path: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    code, _, err = ran(path, "--policy", "static", "--out", tmp_path / "taken")
    assert code == 2
    assert err.startswith("foretide: --out: ")


def test_a_folder_is_tried_before_anything_is_computed(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(BadInput, match=r"--out: .*name a folder that can be written"):
        writable(tmp_path / "taken" / "below")
    assert writable(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_disk_that_is_full_in_the_end_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--out: .*No space left on device; name a folder"), into(tmp_path):
        raise OSError(28, "No space left on device")


def test_a_home_that_cannot_be_written_only_costs_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(command, "CACHE", tmp_path / "file" / "below")
    assert cache_folder() is None
    monkeypatch.setattr(command, "CACHE", tmp_path / "new" / "cache")
    assert cache_folder() == tmp_path / "new" / "cache"


@pytest.mark.parametrize(
    ("policies", "told"),
    [
        ({"hpaa": {"target": [3]}}, "policies.hpaa: no such policy; did you mean hpa? there are static"),
        ({"keda": {"treshold": [1]}}, "policies.keda.treshold: there is no such setting; there are"),
    ],
)
def test_a_setting_that_no_policy_reads_is_refused_even_where_its_policy_is_not_run(
    ran: Ran, tmp_path: Path, policies: dict[str, object], told: str
) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(yaml.safe_dump(SCENARIO | {"policies": policies}))
    code, _, err = ran(file, "--policy", "static", "--out", tmp_path / "out")
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith(f"foretide: {told}")


def test_help_shows_an_example(ran: Ran) -> None:
    code, out, _ = ran("--help")
    assert code == 0
    assert "foretide replay docs/scenarios/azure2023-conv.yaml" in " ".join(out.split())


def test_what_does_not_exist_is_a_dash() -> None:
    nothing = {"p50": None, "p90": None, "p99": None}
    row = {
        "policy": "static",
        "gpu_hours": 1.0,
        "attainment": {"joint": None},
        "window_attainment": None,
        "ttft_s": nothing,
        "tpot_s": nothing,
        "scale_actions": 0,
    }
    shown = table({"scenario": "s", "seed": 0, "wall_seconds": 1.0, "policies": [row]})
    assert [next(iter(column.cells)) for column in shown.columns] == ["static", "1.00", "-", "-", "-", "-", "0"]
