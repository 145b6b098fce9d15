import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from given import evidence, forecast

from foretide.cli.main import run
from foretide.policies.decide import plan
from foretide.policies.flow import ForecastScore
from foretide.policies.journal import encode


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run(["forecast", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rng, rows = np.random.default_rng(1), 600
    load = rng.poisson(20 * (1 + 0.7 * np.sin(2 * np.pi * np.arange(rows) / 24)))
    frame = pd.DataFrame({"at": pd.date_range("2026-01-01", periods=rows, freq="h").astype(str), "load": load})
    path = tmp_path / "web.csv"
    pd.concat([frame.assign(pod="a"), frame.iloc[::-1].assign(pod="b")]).to_csv(path, index=False)
    return path


def asked(file: Path, out: Path, *more: str) -> tuple[str, ...]:
    given = ("--series", str(file), "--time", "at", "--columns", "load", "--group", "pod", "--horizon", "3")
    return ("evaluate", *given, "--out", str(out), "--paths", "64", *more)


def summary(out: Path) -> Any:
    return json.loads((out / "summary.json").read_text())


def test_a_comparison_leaves_a_summary_and_four_figures_per_series(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, shown, err = said(capsys, *asked(file, out, "--models", "naive,seasonal-naive,mixture"))
    assert (code, err) == (0, "note: b: rows were not in order of time: sorted\n")
    told = summary(out)
    assert [series["group"] for series in told["series"]] == ["a", "b"]
    assert [row["model"] for row in told["series"][0]["models"]] == ["naive", "seasonal-naive", "mixture"]
    assert told["relative"]["mixture"]["series"] == 2
    assert told["notes"] == ["b: rows were not in order of time: sorted"]
    assert "a: 118 origins" in shown
    names = sorted(path.name for path in out.glob("*.svg"))
    assert names == sorted(f"{kind}-{group}.svg" for kind in ("fan", "pit", "calibration", "skill") for group in "ab")
    assert all(path.read_text().startswith("<?xml") for path in out.glob("*.svg"))


def test_a_stopped_comparison_goes_on_and_other_terms_do_not_mix(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    first = asked(file, out, "--models", "naive", "--no-plots", "-o", "json")
    said(capsys, *first)
    kept = {path: path.stat().st_mtime_ns for path in (out / "cells").glob("*.json")}
    said(capsys, *asked(file, out, "--models", "naive,last-72", "--no-plots"))
    assert len(list((out / "cells").glob("*.json"))) == 4
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    said(capsys, *asked(file, out, "--models", "naive", "--no-plots", "--part", "validation"))
    assert len(list((out / "cells").glob("*.json"))) == 6
    assert summary(out)["protocol"]["part"] == "validation"


def test_harmony_s_protocol_is_a_preset(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    said(capsys, *asked(file, out, "--models", "naive", "--no-plots", "--protocol", "harmony"))
    terms = summary(out)["protocol"]
    assert (terms["horizon"], terms["context"], terms["scale"], terms["train"]) == (1, 72, "minmax", 0.7)
    assert summary(out)["series"][0]["models"][0]["origins"] == 120


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (("--models", "prophet"), "foretide: --models: prophet: there is no prophet; there are naive, "),
        (("--columns", "cpu"), "foretide: --columns: cpu: the file has no such column; it has at, load, pod"),
        (("--horizon", "400"), "foretide: --series: a, naive: 600 rows are too few for a horizon of 400: 120 rows"),
        (("--series", "no.csv"), "foretide: --series: no.csv: there is no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], line: str
) -> None:
    code, _, err = said(capsys, *asked(file, tmp_path / "out", "--models", "naive", *more))
    assert code == 2
    assert err.splitlines()[-1].startswith(line)


def test_who_looks_ahead_is_named(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, *asked(file, tmp_path / "out", "--models", "seers:Seer"))
    assert code == 2
    assert "--models: seers:Seer: looks ahead: its paths of row 480 change" in err


def test_a_forecast_is_shown_with_its_interval(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = tmp_path / "fan.svg"
    given = ("--series", str(file), "--time", "at", "--columns", "load", "--group", "pod=a", "--horizon", "6")
    code, shown, _ = said(capsys, "show", *given, "--model", "seasonal-windows", "--plot", str(drawn))
    assert code == 0
    assert "a, load: seasonal-windows" in shown
    assert "next 21600 s: peak" in shown
    assert "<svg" in drawn.read_text()


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_journalled_forecast_is_shown_with_who_made_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, wrapped: bool
) -> None:
    rng = np.random.default_rng(1)
    made = evidence(forecast=replace(forecast(*rng.uniform(20, 30, 200)), score=ForecastScore(2.0, 3.0, 40)))
    record = encode(made, plan(made))
    path, drawn = tmp_path / "journal.jsonl", tmp_path / "fan.png"
    path.write_text(json.dumps({"record": record} if wrapped else record) + '\n{"cut off')
    code, shown, _ = said(capsys, "show", "--journal", str(path), "--plot", str(drawn))
    assert code == 0
    assert "requests/s" in shown
    assert "made by given 100%" in shown
    assert "CRPS 2 over 40 forecasts, last value's 3" in shown
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_show_says_what_it_needs(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "show")[2] == "foretide: --series, --journal: (empty): name one of the two\n"
    given = ("--series", str(file), "--time", "at", "--columns", "load")
    _, _, err = said(capsys, "show", *given, "--group", "pod=z")
    assert err == "foretide: --group: pod=z: no such series; there are a, b\n"
    _, _, err = said(capsys, "show", *given, "--plot", "fan.txt")
    assert err == "foretide: --plot: fan.txt: name a file that ends in .svg or .png\n"
    (tmp_path / "journal.jsonl").write_text("{}\nnot json\n")
    _, _, err = said(capsys, "show", "--journal", str(tmp_path / "journal.jsonl"))
    assert err.endswith("has 0 decisions with evidence\n")
