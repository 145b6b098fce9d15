"""`foretide size`: an answer with its neighbours, and one clear line for what cannot be."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import typer

from foretide.cli import main, size

Ran = Callable[..., tuple[int, str, str]]
ALONE = ("--model", "Llama-3.1-8B", "--gpu", "H100", "--prompt-tokens", 1000, "--output-tokens", 200)
LOADED = (*ALONE, "--rate", 60, "--ttft", "500ms", "--tpot", "25ms")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Measured capacities, shared by the tests of this file."""
    return tmp_path_factory.mktemp("capacity")


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kept: Path) -> Ran:
    """Exit code, stdout and stderr of the command."""
    app = typer.Typer(no_args_is_help=True)
    app.callback()(lambda: None)
    size.register(app)
    monkeypatch.setattr(main, "app", app)
    monkeypatch.setattr(size, "cache_folder", lambda: kept)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.run(["size", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


def test_the_count_holds_in_simulation_and_one_fewer_does_not(ran: Ran) -> None:
    code, out, _ = ran(*LOADED, "-o", "json")
    told = json.loads(out)
    fewer, chosen, more = told["tried"]
    assert code == 0
    assert told["simulated"] is True
    assert told["gpus"] == told["replicas"] == chosen["replicas"] == fewer["replicas"] + 1 == more["replicas"] - 1
    assert chosen["violation_probability"] <= told["max_violation_probability"] < fewer["violation_probability"]
    assert chosen["joint"] >= 0.99 > fewer["joint"]
    assert told["binding"] in {"ttft", "tpot"}


def test_an_unsure_rate_needs_more_than_a_known_one(ran: Ran) -> None:
    known, unsure = (json.loads(ran(*LOADED, "--spread", spread, "-o", "json")[1])["replicas"] for spread in (0, 0.4))
    assert unsure > known


def test_more_than_is_allowed_is_said_and_is_no_count(ran: Ran) -> None:
    code, out, _ = ran(*LOADED, "--max-replicas", 1)
    assert code == 0
    assert out.startswith("60 requests/s need more than 1 replicas: raise --max-replicas")
    assert json.loads(ran(*LOADED, "--max-replicas", 1, "-o", "json")[1])["replicas"] is None


def test_lengths_may_come_from_a_trace(ran: Ran, tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    rows = [{"arrival_s": 0.1 * i, "prompt_tokens": 100, "output_tokens": 2} for i in range(30)]
    pd.DataFrame(rows).to_csv(path, index=False)
    given = ("--model", "Llama-3.1-8B", "--gpu", "H100", "--rate", 5, "--ttft", "1s")
    code, out, _ = ran(*given, "--lengths", path, "-o", "json")
    assert code == 0
    assert json.loads(out)["replicas"] == 1
    assert ran(*given, "--lengths", path, "--prompt-tokens", 5)[2].startswith("foretide: --lengths: trace.csv: give it")


def test_an_impossible_objective_names_the_floor_and_one_that_can_be_reached(ran: Ran) -> None:
    code, _, err = ran(*ALONE, "--rate", 5, "--tpot", "1ms")
    assert code == 2
    assert err.startswith("foretide: --tpot: p99 within 1 ms: H100 x 1 reaches ")
    reachable = err.partition("allow some ")[2].partition(",")[0]
    assert ran(*ALONE, "--rate", 1, "--tpot", reachable)[0] == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((*ALONE, "--rate", 0, "--ttft", "1s"), "--rate: 0.0: give 0.001 to 1e+06 requests/s"),
        ((*ALONE, "--rate", "nan", "--ttft", "1s"), "--rate: nan: give 0.001 to 1e+06 requests/s"),
        ((*ALONE, "--rate", 5), "--ttft, --tpot, --e2e: give at least one, like --ttft 500ms"),
        ((*ALONE, "--rate", 5, "--ttft", "500"), "--ttft: 500: write a number with its unit"),
        ((*ALONE, "--rate", 5, "--ttft", "9h"), "--ttft: 9h: give 1ms to 1h"),
        ((*ALONE, "--rate", 5, "--ttft", "1s", "--percentile", 100), "--percentile: 100.0: give more than 0"),
        ((*ALONE, "--rate", 5, "--ttft", "1s", "--spread", -1), "--spread: -1.0: give 0 to 2"),
        (
            (*ALONE, "--rate", 5, "--ttft", "1s", "--max-violation-probability", 1),
            "--max-violation-probability: 1.0: give more than 0 and less than 1",
        ),
        ((*ALONE[:4], "--rate", 5, "--ttft", "1s"), "--prompt-tokens: give a mean like 1000"),
        ((*ALONE, "--rate", 5, "--ttft", "1s", "--kv-tokens", 2000), "--kv-tokens: 2000: a request of"),
    ],
)
def test_bad_input_is_one_line_that_names_the_field(ran: Ran, given: tuple[object, ...], said: str) -> None:
    code, out, err = ran(*given)
    assert (code, out) == (2, "")
    assert err.startswith(f"foretide: {said}")
    assert err.count("\n") == 1
