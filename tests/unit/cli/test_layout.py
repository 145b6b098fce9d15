"""`foretide simulate --layout`: what each layout does to the times, and what it has no use for."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import typer

from foretide.cli import main
from foretide.cli.simulate import register

Ran = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ran:
    """Exit code, stdout and stderr of the command, on a trace of two long prompts among short ones."""
    app = typer.Typer(no_args_is_help=True)
    app.callback()(lambda: None)
    register(app)
    monkeypatch.setattr(main, "app", app)
    rows = [(0.05 * i, 8000 if i in (5, 25) else 100, 40) for i in range(50)]
    pd.DataFrame(rows, columns=["arrival_s", "prompt_tokens", "output_tokens"]).to_csv(tmp_path / "t.csv", index=False)
    usual = ["simulate", "--model", "Llama-3.1-8B", "--gpu", "H100", "--requests", tmp_path / "t.csv"]

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.run([*map(str, [*usual, "--out", tmp_path, *arguments])])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


def test_two_pools_keep_long_prompts_away_from_those_that_generate(ran: Ran, tmp_path: Path) -> None:
    tails = []
    for arguments in (["--replicas", 2], ["--layout", "disaggregated"]):
        code, printed, _ = ran(*arguments, "-o", "json")
        assert code == 0
        tails.append(json.loads(printed)["tpot_s"]["p99"])
    assert tails[1] < tails[0]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert {name: summary[name] for name in ("layout", "prefill_replicas", "decode_replicas", "link_gbps")} == {
        "layout": "disaggregated",
        "prefill_replicas": 1,
        "decode_replicas": 1,
        "link_gbps": 200.0,
    }


def test_a_slower_link_delays_all_but_the_first_token(ran: Ran) -> None:
    times = []
    for rate in (400, 4):
        _, printed, _ = ran("--layout", "disaggregated", "--link-gbps", rate, "-o", "json")
        times.append(json.loads(printed))
    assert times[1]["ttft_s"]["p50"] == times[0]["ttft_s"]["p50"]
    assert times[1]["e2e_s"]["p50"] > times[0]["e2e_s"]["p50"]


def test_a_larger_share_for_prompts_gives_first_tokens_sooner(ran: Ran) -> None:
    times = []
    for share in (0.3, 0.7):
        code, printed, _ = ran("--layout", "partitioned", "--prefill-share", share, "-o", "json")
        assert code == 0
        times.append(json.loads(printed))
    assert times[1]["ttft_s"]["mean"] < times[0]["ttft_s"]["mean"]
    assert times[1]["tpot_s"]["mean"] > times[0]["tpot_s"]["mean"]


def test_the_table_names_the_pools(ran: Ran) -> None:
    _, printed, _ = ran("--layout", "disaggregated", "--prefill-replicas", 2, "--decode-replicas", 3)
    assert printed.splitlines()[-1].startswith("2 prefill + 3 decode x Llama-3.1-8B on H100 TP1")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--prefill-replicas", 2], "--prefill-replicas: 2: needs --layout disaggregated; this one is aggregated"),
        (
            ["--layout", "disaggregated", "--replicas", 2],
            "--replicas: 2: needs --layout aggregated or partitioned; this one is disaggregated",
        ),
        (["--layout", "disaggregated", "--link-gbps", 0], "--link-gbps: 0.0: give finite gigabits per second above 0"),
        (["--layout", "disaggregated", "--link-gbps", "nan"], "--link-gbps: nan: give finite gigabits per second"),
        (["--layout", "disaggregated", "--link-gbps", "inf"], "--link-gbps: inf: give finite gigabits per second"),
        (["--layout", "disaggregated", "--kv-tokens", 7984], "--kv-tokens: 7984: a request of 8000 + 40 tokens"),
        (["--layout", "partitioned", "--prefill-share", 1], "--prefill-share: 1.0: give a share above 0 and below 1"),
        (["--layout", "partitioned", "--decode-knee", 0], "--decode-knee: 0.0: give a share above 0 and below 1"),
        (["--layout", "partitioned", "--prefix-cache"], "--prefix-cache: True: needs --layout aggregated or disagg"),
        (["--layout", "disaggregated", "--calibrate", "x.csv"], "--calibrate: x.csv: needs --layout aggregated"),
        (["--prefix-cache"], "--prefix-cache: t.csv: needs hash_ids of prompts in this file"),
        (["--layout", "sideways"], "--layout"),
    ],
)
def test_what_a_layout_has_no_use_for_ends_with_one_line(ran: Ran, arguments: list[object], told: str) -> None:
    code, printed, error = ran(*arguments)
    assert (code, printed) == (2, "")
    assert told in error
    assert error.count("\n") == 1


def test_a_prefix_cache_gives_later_prompts_of_a_kind_their_first_token_sooner(ran: Ran, tmp_path: Path) -> None:
    rows = [
        {"timestamp": 1000 * i, "input_length": 2048, "output_length": 5, "hash_ids": [1, 2, 3, 4]} for i in range(20)
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    times = []
    for more in ([], ["--prefix-cache"]):
        code, printed, _ = ran("--requests", path, *more, "-o", "json")
        assert code == 0
        times.append(json.loads(printed)["ttft_s"]["p50"])
    assert times[1] < times[0] / 3
