"""`foretide profile fit`: from a file of measurements to a file that `--profiles` reads."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
import yaml

from foretide.cli import main, profile
from foretide.simulator.calibrate import simulate
from foretide.simulator.profile_file import read_profiles
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.requests import RequestTrace

Ran = Callable[..., tuple[int, str, str]]
H100 = find_profile(model="Llama-3.1-8B", gpu="H100", tp=1)
ASKED = ["--model", "Llama-3.1-8B", "--gpu", "H100"]


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Exit code, stdout and stderr of `profile fit`."""
    app = typer.Typer(no_args_is_help=True)
    app.callback()(lambda: None)
    profile.register(app)
    monkeypatch.setattr(main, "app", app)
    monkeypatch.delenv("FORETIDE_PROFILES", raising=False)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.run(["profile", "fit", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Decode steps of an engine with twice the constant and half as much again per token, with 1 % of noise."""
    rng = np.random.default_rng(0)
    steps = replace(H100.steps, decode_a_ms=2.0 * H100.steps.decode_a_ms, decode_c_ms=1.5 * H100.steps.decode_c_ms)
    rows = [
        (n, c, steps.decode_ms(decodes=n, context=c) * np.exp(0.01 * rng.standard_normal()))
        for n in (1, 2, 8, 32, 64)
        for c in (128, 1024, 4096)
    ]
    names = ["batch", "context_tokens", "decode_ms"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "points.csv", index=False)
    return tmp_path / "points.csv"


def test_a_fitted_file_is_a_profile_with_its_source_errors_ranges_and_date(
    ran: Ran, points: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "mine.yaml"
    code, printed, _ = ran(points, *ASKED, "--out", out, "--date", "2026-11-01", "--source", "our own bench")
    (found,) = read_profiles(out)
    assert code == 0
    assert (found.model, found.gpu, found.tp, found.date) == ("Llama-3.1-8B", "H100", 1, "2026-11-01")
    assert found.steps.decode_a_ms == pytest.approx(2.0 * H100.steps.decode_a_ms, rel=0.03)
    assert found.steps.decode_c_ms == pytest.approx(1.5 * H100.steps.decode_c_ms, rel=0.05)
    assert found.source.startswith("our own bench; every coefficient")
    assert "not told by the data: prefill_a_ms, prefill_b_ms, prefill_c_ms" in found.source
    assert found.errors.decode is not None
    assert found.errors.decode < 0.03
    assert (found.ranges.batch, found.ranges.context) == ((1.0, 64.0), (128.0, 4096.0))
    assert found.kv_tokens == H100.kv_tokens
    assert "15 decode steps of points.csv: every coefficient" in printed
    assert sum("not told by the data" in line for line in printed.splitlines()) == 3


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_program_can_read_how_a_fit_came_about(
    ran: Ran, points: Path, tmp_path: Path, form: str, read: Callable[[str], dict[str, object]]
) -> None:
    _, printed, _ = ran(points, *ASKED, "--out", tmp_path / "mine.json", "-o", form)
    told = read(printed)
    assert told["profile"] == json.loads((tmp_path / "mine.json").read_text())["profiles"][0]
    assert set(told) == {"profile", "form", "times", "held_out", "prior_held_out", "in_sample", "coefficients"}


def test_requests_of_a_slow_engine_give_its_factor(ran: Ran, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    arrival = np.cumsum(rng.exponential(0.2, 60))
    trace = RequestTrace(arrival - arrival[0], rng.integers(50, 2000, 60), rng.integers(20, 200, 60))
    found = simulate(deployment=Deployment(H100, speed_factor=1.4), trace=trace, replicas=1)
    columns = {name: getattr(trace, name) for name in ("arrival_s", "prompt_tokens", "output_tokens")}
    times = {name: getattr(found, name) for name in ("ttft_s", "e2e_s")}
    pd.DataFrame(columns | times).to_parquet(tmp_path / "measured.parquet")
    code, printed, _ = ran(tmp_path / "measured.parquet", *ASKED, "--out", tmp_path / "mine.yaml")
    (fitted,) = read_profiles(tmp_path / "mine.yaml")
    assert code == 0
    assert fitted.steps.decode_a_ms == pytest.approx(1.4 * H100.steps.decode_a_ms, rel=0.02)
    assert fitted.steps.prefill_b_ms == pytest.approx(1.4 * H100.steps.prefill_b_ms, rel=0.02)
    assert "60 requests of measured.parquet: one factor" in printed


def test_one_kind_of_times_can_be_fitted_alone(ran: Ran, points: Path, tmp_path: Path) -> None:
    out = ["--out", tmp_path / "mine.yaml"]
    code, printed, _ = ran(points, *ASKED, *out, "--only", "decode")
    assert (code, printed.splitlines()[0]) == (0, "decode of 15 decode steps of points.csv: every coefficient")
    assert "0 rows are too few" in ran(points, *ASKED, *out, "--only", "ttft")[2]


def test_another_profile_can_be_begun_with(ran: Ran, points: Path, tmp_path: Path) -> None:
    asked = ["--model", "acme/Rocket-7B", "--gpu", "abacus", "--tp", 2, "--out", tmp_path / "mine.yaml"]
    like = ["--like", "Llama-3.1-8B:H100:1"]
    assert "begin with the nearest: --like MODEL:GPU:TP" in ran(points, *asked)[2]
    assert "--kv-tokens: (empty): give the engine's own figure" in ran(points, *asked, *like)[2]
    code, _, _ = ran(points, *asked, *like, "--kv-tokens", 123_456)
    (found,) = read_profiles(tmp_path / "mine.yaml")
    assert code == 0
    assert (found.model, found.gpu, found.tp, found.kv_tokens) == ("Rocket-7B", "ABACUS", 2, 123_456)
    assert "from Llama-3.1-8B H100 tp 1" in found.source


def test_rows_of_one_deployment_are_chosen(ran: Ran, points: Path, tmp_path: Path) -> None:
    table = pd.read_csv(points)
    both = pd.concat([table.assign(tp=1), table.assign(tp=2, decode_ms=5 * table.decode_ms)])
    both.to_csv(points, index=False)
    out = ["--out", tmp_path / "mine.yaml"]
    assert "tp: 1, 2: rows of more than one kind; choose with --where tp=..." in ran(points, *ASKED, *out)[2]
    assert ran(points, *ASKED, *out, "--where", "tp=1")[0] == 0


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--like", "H100"], "--like: H100: write it like MODEL:GPU:TP"),
        (["--where", "tp"], "--where: tp: write it like tensor_parallel=4"),
        (["--where", "tp=1"], "--where: tp: no such column"),
        (["--kv-tokens", "9000000"], "--kv-tokens: 9000000: more than the"),
        (["--out", "mine.txt"], "--out: mine.txt: name a file that ends in .yaml, .yml, .json"),
        (["--gpu", "T4"], "no step times on this GPU"),
    ],
)
def test_bad_input_ends_with_one_line_and_code_2(
    ran: Ran, points: Path, tmp_path: Path, more: list[str], told: str
) -> None:
    code, printed, error = ran(points, *ASKED, "--out", tmp_path / "mine.yaml", *more)
    assert (code, printed) == (2, "")
    assert told in error
    assert error.count("\n") == 1


def test_measurements_that_identify_nothing_write_nothing(ran: Ran, points: Path, tmp_path: Path) -> None:
    pd.read_csv(points).head(3).to_csv(points, index=False)
    code, _, error = ran(points, *ASKED, "--out", tmp_path / "mine.yaml")
    assert (code, error) == (2, "foretide: FILE: points.csv: 3 rows are too few; give at least 6\n")
    assert not (tmp_path / "mine.yaml").exists()


def test_requests_that_never_fit_into_the_cache_are_refused(ran: Ran, tmp_path: Path) -> None:
    rows = {"arrival_s": [0.0], "prompt_tokens": [900], "output_tokens": [200], "ttft_s": [1.0], "tpot_s": [0.1]}
    pd.DataFrame(rows).to_csv(tmp_path / "m.csv", index=False)
    code, _, error = ran(tmp_path / "m.csv", *ASKED, "--out", tmp_path / "mine.yaml", "--kv-tokens", 512)
    assert code == 2
    assert error.startswith("foretide: --kv-tokens: 512: a request of 900 + 200 tokens never fits")


def test_one_request_is_too_little_to_fit(ran: Ran, tmp_path: Path) -> None:
    rows = {"arrival_s": [0.0], "prompt_tokens": [9], "output_tokens": [2], "ttft_s": [1.0], "tpot_s": [0.1]}
    pd.DataFrame(rows).to_csv(tmp_path / "m.csv", index=False)
    assert "are too few" in ran(tmp_path / "m.csv", *ASKED, "--out", tmp_path / "mine.yaml")[2]


def test_an_own_profile_can_be_the_prior(ran: Ran, points: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    assert ran(points, *ASKED, "--out", first)[0] == 0
    table = pd.read_csv(points)
    table.assign(decode_ms=1.3 * table.decode_ms).to_csv(points, index=False)
    ran(points, *ASKED, "--out", second, "--profiles", first)
    (one,), (two,) = read_profiles(first), read_profiles(second)
    slower = replace(one.steps, decode_a_ms=1.3 * one.steps.decode_a_ms)
    assert two.steps.decode_a_ms == pytest.approx(slower.decode_a_ms, rel=0.03)
