import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foretide.cli import demo, main
from foretide.simulator.replay import Replay
from foretide.simulator.run import Bench


def without_wall_time(found: Replay) -> list[dict[str, object]]:
    return [{name: value for name, value in one.items() if name != "decision_ms"} for one in found.summary["policies"]]


def test_every_policy_runs_on_the_same_requests(found: Replay) -> None:
    assert [run.policy for run in found.runs] == list(demo.POLICIES)
    assert {len(run.outcome.arrival_s) for run in found.runs} == {len(found.bench.trace)}


def test_the_same_seed_gives_the_same_figures(found: Replay, race_again: Callable[[], Replay]) -> None:
    again = race_again()
    assert again.summary is not found.summary
    assert without_wall_time(again) == without_wall_time(found)


def test_the_fleets_follow_the_day(found: Replay) -> None:
    series = found.runs[0].series
    assert series.ready.max() > series.ready[0]
    assert found.runs[0].outlook() is not None


def test_progress_without_a_terminal_is_a_line_per_stretch(race: tuple[Replay, str]) -> None:
    lines = race[1].splitlines()
    assert len(lines) == 4
    for name in demo.POLICIES:
        assert all(f"{name}: " in line for line in lines)


def test_the_demo_says_that_its_traffic_is_generated_and_simulated(found: Replay) -> None:
    story = demo.story_of(found, again="")
    assert "generated" in story.lead
    assert f"{len(found.bench.trace):,} requests" in story.lead


def test_the_day_has_history_and_a_declared_promise() -> None:
    scenario = demo.scenario()
    assert demo.DAYS_BEFORE >= 1
    assert scenario.objective.declared()
    assert scenario.pace.season_s == demo.DAY_S


def test_a_speed_limit_waits_for_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    moments: Iterator[float] = iter([0.0, 1.0])
    monkeypatch.setattr(demo.time, "monotonic", lambda: next(moments))
    monkeypatch.setattr(demo.time, "sleep", slept.append)
    demo.paced(60.0)(120.0)
    assert slept == [1.0]


def test_the_command_writes_report_summary_and_decisions(
    monkeypatch: pytest.MonkeyPatch, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "prepared", lambda **_: bench)
    with pytest.raises(SystemExit) as ended:
        main.run(["demo", "--seed", "3", "--out", str(tmp_path / "new"), "--no-live"])
    assert ended.value.code == 0
    summary = json.loads((tmp_path / "new" / "summary.json").read_text())
    assert [one["policy"] for one in summary["policies"]] == list(demo.POLICIES)
    assert (tmp_path / "new" / "decisions.jsonl").read_text().count("\n") > 10
    assert "Simulated" in (tmp_path / "new" / "report.html").read_text()
    said = capsys.readouterr().out
    assert f"{summary['policies'][0]['gpu_hours']:.2f}" in said
    assert "report.html" in said


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as ended:
        main.run(["demo", "--out", str(tmp_path / "file" / "below")])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("foretide: --out: ")
