"""`foretide profile list`, `show` and `compile`, and `--profiles` where a command takes a model."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import typer
import yaml

from foretide.cli import main, profile, simulate
from foretide.simulator.profiles import profiles

Ran = Callable[..., tuple[int, str, str]]

MINE = """
profiles:
  - model: Rocket-7B
    gpu: ABACUS
    tp: 2
    steps: {decode_a_ms: 6, decode_b_ms: 0.01, decode_c_ms: 4e-5,
            prefill_a_ms: 5, prefill_b_ms: 0.015, prefill_c_ms: 1e-6}
    kv_tokens: 100000
    source: our own bench
    errors: {tpot: 0.031}
"""


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Exit code, stdout and stderr of the program."""
    app = typer.Typer(no_args_is_help=True)
    app.callback()(lambda: None)
    profile.register(app)
    simulate.register(app)
    monkeypatch.setattr(main, "app", app)
    monkeypatch.delenv("FORETIDE_PROFILES", raising=False)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.run([*map(str, arguments)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    return path


def test_all_shipped_profiles_are_listed_with_errors_and_numbered_sources(ran: Ran) -> None:
    code, printed, _ = ran("profile", "list")
    rows = [line for line in printed.splitlines() if line.endswith(("[1]", "[2]", "[3]"))]
    assert code == 0
    assert len(rows) == len(profiles())
    assert "Llama-3.1-8B        H100           1    440,593      2.1%     4.2%" in printed
    assert "[1] shipped: fitted to the kernel tables of aiconfigurator-core" in printed


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_own_profiles_come_first_and_a_program_can_read_them(
    ran: Ran, mine: Path, form: str, read: Callable[[str], list[dict[str, object]]]
) -> None:
    _, printed, _ = ran("profile", "list", "--profiles", mine, "-o", form)
    first, *others = read(printed)
    assert (first["model"], first["origin"], first["errors"]) == ("Rocket-7B", "mine.yaml", {"tpot": 0.031})
    assert len(others) == len(profiles())


def test_an_own_profile_takes_the_shipped_ones_place(ran: Ran, mine: Path) -> None:
    mine.write_text(MINE.replace("Rocket-7B", "Llama-3.1-8B").replace("ABACUS", "H100").replace("tp: 2", "tp: 1"))
    _, printed, _ = ran("profile", "list", "--profiles", mine, "--model", "llama-3.1-8b", "--gpu", "h100", "-o", "json")
    found = [row for row in json.loads(printed) if (row["model"], row["tp"]) == ("Llama-3.1-8B", 1)]
    assert [row["origin"] for row in found] == ["mine.yaml"]


def test_the_environment_names_profiles_too(ran: Ran, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORETIDE_PROFILES", str(mine))
    assert "Rocket-7B" in ran("profile", "list")[1]


def test_a_list_without_a_match_names_the_gpus_that_there_are(ran: Ran) -> None:
    code, _, error = ran("profile", "list", "--gpu", "abacus")
    assert code == 2
    assert error.startswith("foretide: --model, --gpu: abacus: no profile; there are A100, B200")


def test_a_profile_is_shown_over_batch_context_and_prompt(ran: Ran, mine: Path) -> None:
    """64 requests at 128 tokens: 6 + 0.64 + 0.33 ms, at 1,024: 6 + 0.64 + 2.62; a prompt of 2,048: 5 + 30.72 + 4.19."""
    code, printed, _ = ran("profile", "show", "--model", "rocket-7b", "--gpu", "abacus", "--tp", 2, "--profiles", mine)
    assert code == 0
    assert "Rocket-7B on 2 x ABACUS (mine.yaml): our own bench; TPOT error 3.1%" in printed
    assert next(line for line in printed.splitlines() if line.startswith("64 ")).split() == [
        "64", "7.0", "9.3", "-", "-", "-",
    ]  # fmt: skip
    assert next(line for line in printed.splitlines() if line.startswith("2,048")).split()[1] == "39.9"


def test_what_is_shown_to_a_program_holds_no_time_for_what_does_not_fit(ran: Ran, mine: Path) -> None:
    _, printed, _ = ran(
        "profile", "show", "--model", "Rocket-7B", "--gpu", "ABACUS", "--tp", 2, "--profiles", mine, "-o", "json"
    )
    shown = json.loads(printed)
    times = {(row["batch"], row["context"]): row["ms"] for row in shown["decode_ms"]}
    assert times[1, 1024] == pytest.approx(6 + 0.01 + 1024 * 4e-5)
    assert times[256, 8192] is None
    assert shown["prefill_ms"][0]["tokens_per_s"] == pytest.approx(1000 * 128 / shown["prefill_ms"][0]["ms"])


@pytest.mark.parametrize(("name", "begins"), [("steps.svg", b"<?xml"), ("steps.png", b"\x89PNG")])
def test_a_plot_is_the_same_each_time(ran: Ran, tmp_path: Path, name: str, begins: bytes) -> None:
    drawn = []
    for _ in range(2):
        ran("profile", "show", "--model", "Llama-3.1-8B", "--gpu", "H100", "--plot", tmp_path / name)
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith(begins)


def test_a_plot_needs_a_name_that_says_its_form(ran: Ran, tmp_path: Path) -> None:
    code, _, error = ran("profile", "show", "--model", "Llama-3.1-8B", "--gpu", "H100", "--plot", tmp_path / "a.gif")
    assert code == 2
    assert "name a file that ends in .svg or .png" in error


def test_simulate_runs_on_an_own_profile(ran: Ran, mine: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    pd.DataFrame({"arrival_s": [0.0], "prompt_tokens": [1000], "output_tokens": [1]}).to_csv(trace, index=False)
    arguments = ["--model", "Rocket-7B", "--gpu", "ABACUS", "--tp", 2, "--requests", trace, "--out", tmp_path]
    assert ran("simulate", *arguments)[0] == 2
    code, _, _ = ran("simulate", *arguments, "--profiles", mine)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert code == 0
    assert summary["ttft_s"]["mean"] == pytest.approx(0.005 + 0.015 + 0.001)
    assert summary["profile_source"] == "our own bench; TPOT error 3.1%"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MINE.replace("kv_tokens: 100000", "kv_tokens: 0"), "mine.yaml: profiles[0].kv_tokens: 0: should be"),
        (
            MINE.replace("decode_a_ms: 6", "decode_a_ms: -6").replace("tp: 2", "tp: 0"),
            "(also wrong: mine.yaml: profiles[0].steps.decode_a_ms: -6",
        ),
        ("[", "not YAML"),
    ],
)
def test_an_impossible_profile_is_one_line(ran: Ran, mine: Path, text: str, told: str) -> None:
    mine.write_text(text)
    for arguments in (["list"], ["show", "--model", "Llama-3.1-8B", "--gpu", "H100"]):
        code, printed, error = ran("profile", *arguments, "--profiles", mine)
        assert (code, printed) == (2, "")
        assert told in error
        assert error.count("\n") == 1


@pytest.mark.skipif(
    find_spec("aiconfigurator_core") is not None, reason="aiconfigurator-core is installed: its absence was not tried"
)
def test_compiling_without_the_package_says_how_to_get_it(ran: Ran, tmp_path: Path) -> None:
    code, _, error = ran(
        "profile",
        "compile",
        "--model",
        "Qwen/Qwen3-8B",
        "--gpu",
        "H200",
        "--kv-tokens",
        9,
        "--out",
        tmp_path / "a.yaml",
    )
    assert code == 2
    assert error == (
        "foretide: --model, --gpu, --tp: Qwen/Qwen3-8B H200 1: "
        "needs aiconfigurator-core; install it with: pip install 'foretide[aic]'\n"
    )
    assert not (tmp_path / "a.yaml").exists()


@pytest.mark.skipif(
    find_spec("aiconfigurator_core") is None, reason="aiconfigurator-core is not installed: nothing was compiled"
)
def test_a_compiled_profile_can_be_used_at_once(ran: Ran, tmp_path: Path) -> None:
    out = tmp_path / "a.yaml"
    code, printed, _ = ran(
        "profile", "compile", "--model", "Qwen/Qwen3-8B", "--gpu", "H200", "--kv-tokens", 700_000, "--out", out
    )
    assert code == 0
    assert "Qwen3-8B on 1 x H200" in printed
    assert "a.yaml" in ran("profile", "show", "--model", "Qwen3-8B", "--gpu", "H200", "--profiles", out)[1]
