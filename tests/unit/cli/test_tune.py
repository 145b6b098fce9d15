"""`foretide tune`: files that repeat themselves, and one clear line for what there is not."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from foretide.cli import main
from foretide.policies.concurrency.limit_rule import Fixed
from foretide.simulator import tuning_setups
from foretide.simulator.tuning import run_agent, tally

Ran = Callable[..., tuple[int, str, str]]
SHORT = replace(tuning_setups.setups()["dev-gateway"], windows=12)


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ran:
    monkeypatch.setattr(tuning_setups, "setups", lambda: {"short": SHORT})

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.run(["tune", *map(str, arguments)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


def test_a_fixed_limit_has_the_figures_of_its_windows(ran: Ran, tmp_path: Path) -> None:
    code, out, _ = ran("short", "--agent", "40", "--seed", 3, "--out", tmp_path, "-o", "json")
    windows = run_agent(Fixed(40), SHORT, seed=3)
    whole = tally([(window, 1.0) for window in windows])
    (row,) = json.loads(out)["agents"]
    assert code == 0
    assert row["goodput_per_gpu_s"] == whole.goodput
    assert row["attainment"] == whole.attainment
    assert row["limits"] == [40] * 12
    assert row["goodput_by_window"] == [window.goodput for window in windows]


def test_files_are_written_say_simulated_and_repeat_themselves(ran: Ran, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        code, out, _ = ran("short", "--out", tmp_path / folder)
        assert code == 0
        assert "simulated" in out
        assert all(name in out for name in ("rule", "qlearning", "bandit"))
    for name in ("summary.json", "tune.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert json.loads((tmp_path / "one/summary.json").read_text())["simulated"] is True


def test_under_the_shield_rulings_are_told(ran: Ran, tmp_path: Path) -> None:
    _, out, _ = ran("short", "--agent", "4", "--shield", "--out", tmp_path, "-o", "json")
    told = json.loads(out)
    (row,) = told["agents"]
    assert told["shield"] is True
    assert row["rulings"] != []
    assert {"window", "ruling"} == set(row["rulings"][0])
    assert 4 not in row["limits"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere",), "NAME: nowhere: give one of short"),
        (("short", "--agent", "network", "--network", "/nowhere"), "--network: /nowhere/card.json: cannot be read"),
        (("short", "--agent", "dqn"), "--agent: dqn: give rule, qlearning, bandit, network, or a whole limit"),
        (("short", "--agent", "0"), "--agent: 0: give rule"),
        (("short", "--agent", ","), "--agent: ,: give at least one"),
    ],
)
def test_what_there_is_not_is_one_line(ran: Ran, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    code, _, err = ran(*arguments, "--out", tmp_path)
    assert code == 2
    assert told in err
    assert err.count("\n") == 1
