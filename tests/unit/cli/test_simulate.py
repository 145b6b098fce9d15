"""`foretide simulate`: its two files, its printed summary, and one clear line for what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import typer
import yaml

from foretide.cli import main
from foretide.cli.simulate import register

Ran = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Exit code, stdout and stderr of the command."""
    app = typer.Typer(no_args_is_help=True)
    app.callback()(lambda: None)
    register(app)
    monkeypatch.setattr(main, "app", app)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.run(["simulate", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    rows = [
        {"request_id": f"r{i}", "arrival_s": 0.1 * i, "prompt_tokens": 100 + i, "output_tokens": 20} for i in range(30)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def on_h100(trace: Path, out: Path) -> list[object]:
    return ["--model", "Llama-3.1-8B", "--gpu", "H100", "--requests", trace, "--out", out]


def test_every_request_comes_back_under_its_own_name_and_in_order(ran: Ran, trace: Path, tmp_path: Path) -> None:
    code, _, _ = ran(*on_h100(trace, tmp_path / "new" / "out"))
    given, found = pd.read_csv(trace), pd.read_parquet(tmp_path / "new" / "out" / "requests.parquet")
    assert code == 0
    assert list(found.columns) == [*given.columns, "ttft_s", "tpot_s", "e2e_s"]
    pd.testing.assert_frame_equal(found[list(given.columns)], given, check_dtype=False)
    assert (found["e2e_s"] - found["ttft_s"] - 19 * found["tpot_s"]).abs().max() < 1e-9
    assert found["ttft_s"].min() > 0


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_the_printed_summary_is_the_written_one(
    ran: Ran, trace: Path, tmp_path: Path, form: str, read: Callable[[str], object]
) -> None:
    _, printed, _ = ran(*on_h100(trace, tmp_path), "-o", form, "--speed-factor", 1.25, "--replicas", 2)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert read(printed) == summary
    assert (summary["requests"], summary["speed_factor"], summary["replicas"]) == (30, 1.25, 2)
    assert set(summary["ttft_s"]) == {"mean", "p50", "p90", "p99"}
    assert summary["wall_seconds"] > 0


def test_the_table_fits_into_80_columns_and_names_the_factor(ran: Ran, trace: Path, tmp_path: Path) -> None:
    _, printed, _ = ran(*on_h100(trace, tmp_path), "--speed-factor", 2)
    lines = printed.splitlines()
    assert all(len(line) <= 80 for line in lines[:-1])
    assert [line.split()[0] for line in lines[2:5]] == ["TTFT", "TPOT", "latency"]
    assert "speed factor 2.000: given" in lines[-1]


def test_what_was_simulated_calibrates_to_its_own_factor(ran: Ran, trace: Path, tmp_path: Path) -> None:
    ran(*on_h100(trace, tmp_path / "a"), "--speed-factor", 1.3)
    measured = tmp_path / "a" / "requests.parquet"
    code, _, _ = ran(*on_h100(trace, tmp_path / "b"), "--calibrate", measured, "--calibrate-first", 10)
    summary = json.loads((tmp_path / "b" / "summary.json").read_text())
    assert code == 0
    assert summary["speed_factor"] == pytest.approx(1.3, abs=1e-3)
    assert summary["speed_factor_source"] == "fitted to the TPOT of the first 10 requests of requests.parquet"


def test_a_prompt_alone_has_no_time_per_token_and_the_summary_says_none(ran: Ran, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("arrival_s,prompt_tokens,output_tokens\n0,10,1\n")
    code, _, _ = ran(*on_h100(tmp_path / "one.csv", tmp_path))
    assert code == 0
    assert json.loads((tmp_path / "summary.json").read_text())["tpot_s"]["mean"] is None
    assert pd.read_parquet(tmp_path / "requests.parquet")["request_id"].tolist() == [0]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--gpu", "T4"], "Llama-3.1-8B T4 1: no step times on this GPU"),
        (["--tp", "0"], "--tp"),
        (["--kv-tokens", "48"], "--kv-tokens: 48: a request of 100 + 20 tokens never fits"),
        (["--kv-tokens", "9000000"], "--kv-tokens: 9000000: more than the"),
        (["--kv-tokens", "1"], "--kv-tokens: 1: give at least one block of 16 tokens"),
        (["--speed-factor", "0"], "--speed-factor: 0.0: give a finite number above 0"),
        (["--speed-factor", "nan"], "--speed-factor: nan: give a finite number above 0"),
        (["--speed-factor", "1", "--calibrate", "x.csv"], "--speed-factor: 1.0: give it, or --calibrate, not both"),
        (["--calibrate-first", "5"], "--calibrate-first: 5: needs --calibrate"),
        (["--calibrate", "absent.csv"], "path: absent.csv: No such file"),
        (["--requests", "absent.csv"], "path: absent.csv: No such file"),
    ],
)
def test_bad_input_ends_with_one_line_and_code_2(
    ran: Ran, trace: Path, tmp_path: Path, more: list[str], told: str
) -> None:
    code, printed, error = ran(*on_h100(trace, tmp_path), *more)
    assert (code, printed) == (2, "")
    assert told in error
    assert error.count("\n") == 1


def test_requests_are_spread_as_the_routing_says(ran: Ran, tmp_path: Path) -> None:
    """Every second request is long: in turn, one of two replicas gets all of these."""
    rows = [{"arrival_s": 0.5 * i, "prompt_tokens": 100, "output_tokens": 1 if i % 2 else 900} for i in range(30)]
    trace, found = tmp_path / "trace.csv", {}
    pd.DataFrame(rows).to_csv(trace, index=False)
    for name in ("round-robin", "least-outstanding"):
        code, printed, _ = ran(*on_h100(trace, tmp_path / name), "--replicas", 2, "--routing", name, "-o", "json")
        assert (code, json.loads(printed)["routing"]) == (0, name)
        found[name] = json.loads(printed)["tpot_s"]["mean"]
    assert found["round-robin"] > found["least-outstanding"]
    code, _, told = ran(*on_h100(trace, tmp_path), "--routing", "nearest")
    assert (code, told) == (
        2,
        "foretide: --routing: nearest: give one of round-robin, least-outstanding, queue-and-kv, prefix-aware\n",
    )


def test_more_requests_to_fit_than_there_are_is_refused(ran: Ran, trace: Path, tmp_path: Path) -> None:
    ran(*on_h100(trace, tmp_path))
    measured = tmp_path / "requests.parquet"
    code, _, error = ran(*on_h100(trace, tmp_path), "--calibrate", measured, "--calibrate-first", 31)
    assert (code, error) == (2, "foretide: --calibrate-first: 31: requests.parquet has 30 requests\n")


def test_a_trace_without_measured_times_cannot_calibrate(ran: Ran, trace: Path, tmp_path: Path) -> None:
    code, _, error = ran(*on_h100(trace, tmp_path), "--calibrate", trace)
    assert code == 2
    assert error.startswith("foretide: columns: tpot_s missing: trace.csv needs tpot_s")
