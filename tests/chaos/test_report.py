"""The page says what was run, and what went wrong."""

from typing import Any

from chaos.report import page

RUN = {
    "fault": "API server: 500 to all",
    "numbers": "10 11",
    "expected": "acts",
    "writes": 1,
    "wrong_downs": 0,
    "blind_downs": 0,
    "acted_s": 3.25,
    "restarts": 0,
    "said": "Steady",
    "sleeper_wrote": 0,
}


def row(*runs: dict[str, Any]) -> list[str]:
    told = page([RUN | run for run in runs], rate=3.0, plan=2, lease=15, life=10).splitlines()[-1]
    return [cell.strip() for cell in told.strip("|").split("|")]


def test_a_row_is_all_runs_of_a_fault() -> None:
    told = row({}, {"acted_s": 7.0, "restarts": 1}, {"acted_s": -2.0})
    assert told == [
        "API server: 500 to all",
        "10 11",
        "acts",
        "status: Steady; 1 restarts",
        "3",
        "0",
        "3.2 (7.0)",
        "yes",
    ]


def test_a_wrong_or_blind_scale_down_and_a_late_move_are_told() -> None:
    assert row({"wrong_downs": 1}, {"blind_downs": 2, "acted_s": 19.5})[5:] == ["3", "19.5", "no"]


def test_what_never_came_is_not_within_the_bound() -> None:
    assert row({"acted_s": None})[6:] == ["never", "no"]
