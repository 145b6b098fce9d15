import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from staged import SERVICE, bench, scenario, trace

from foretide.policies.decide import plan
from foretide.policies.journal import decode_evidence, encode
from foretide.simulator.bench import split_at
from foretide.simulator.generate import WorkloadShape
from foretide.simulator.replay import Replay, UnknownPolicy, check_policies, replay
from foretide.simulator.rivals import FixedCount
from foretide.simulator.run import GRACE_S, run_policy
from foretide.simulator.scenario import BadScenario
from foretide.simulator.starts import StartTier
from foretide.simulator.summary import figures

MORNING = WorkloadShape(mean_rps=12.0, day_s=2400.0, peak_to_trough=6.0, bursts_per_day=0.0)
STARTS = StartTier(30.0, 0.2, name="warm-node")
NAMES = ("static", "foretide", "hpa")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replay")


@pytest.fixture(scope="module", autouse=True)
def unmeasured() -> Iterator[None]:
    """The service model is given: measuring it is another module's affair, and takes its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("foretide.simulator.bench.service_model", lambda **_: SERVICE)
        yield


@pytest.fixture(scope="module")
def found(folder: Path) -> Replay:
    return replay(
        scenario(source=MORNING, history_days=2.0, cold_start=STARTS), policies=NAMES, seed=3, out=folder / "first"
    )


def without_wall_times(summary: dict[str, Any]) -> dict[str, Any]:
    rows = [{name: value for name, value in row.items() if name != "decision_ms"} for row in summary["policies"]]
    return {"scenario": summary["scenario"], "policies": rows}


def test_the_summary_has_every_field_of_the_contract(found: Replay, folder: Path) -> None:
    summary = json.loads((folder / "first" / "summary.json").read_text())
    assert set(summary) >= {"scenario", "wall_seconds", "policies"}
    assert [row["policy"] for row in summary["policies"]] == list(NAMES)
    for row in summary["policies"]:
        assert set(row) >= {
            "policy", "gpu_hours", "requests", "unfinished", "attainment", "window_attainment", "ttft_s", "tpot_s",
            "scale_actions", "cold_started_requests", "pod_utility_below_1", "promised_violation",
            "observed_violation", "decision_ms", "idle_gpu_hours", "wake_s",
        }  # fmt: skip
        assert set(row["attainment"]) == {"ttft", "tpot", "joint"}
        assert set(row["ttft_s"]) == {"p50", "p90", "p99"}
        assert set(row["decision_ms"]) == {"p50", "p99"}


def test_the_same_seed_gives_the_same_files(found: Replay, folder: Path) -> None:
    again = replay(
        scenario(source=MORNING, history_days=2.0, cold_start=STARTS), policies=NAMES, seed=3, out=folder / "second"
    )
    assert without_wall_times(again.summary) == without_wall_times(found.summary)
    decisions = [(folder / name / "decisions.jsonl").read_bytes() for name in ("first", "second")]
    assert decisions[0] == decisions[1]


def test_only_foretide_promises_a_risk(found: Replay) -> None:
    static, foretide, hpa = found.summary["policies"]
    assert (static["promised_violation"], hpa["promised_violation"]) == (None, None)
    assert 0.0 <= foretide["promised_violation"] <= 1.0
    assert foretide["observed_violation"] == pytest.approx(1 - foretide["window_attainment"])


def test_every_action_is_recorded_and_can_be_decided_again(found: Replay, folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "first" / "decisions.jsonl").read_text().splitlines()]
    acted = [line for line in lines if line["policy"] == "foretide" and line["before"] != line["desired"]]
    assert len(acted) == found.summary["policies"][1]["scale_actions"] > 0
    plans = [line for line in acted if line["rhythm"] == "plan"]
    for line in plans:
        evidence = decode_evidence(line["record"])
        assert encode(evidence, plan(evidence)) == line["record"]


def test_hpa_says_why_as_well(found: Replay, folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "first" / "decisions.jsonl").read_text().splitlines()]
    assert all(line["reason"] and line["text"] for line in lines)


def test_static_is_said_to_know_the_trace_it_is_judged_on(found: Replay) -> None:
    assert "judged on" in found.summary["policies"][0]["note"]


def test_the_forecast_is_kept_for_the_figures(found: Replay) -> None:
    outlook = found.runs[1].outlook()
    assert outlook is not None
    assert (outlook.low <= outlook.middle).all()
    assert (outlook.middle <= outlook.high).all()
    assert found.runs[0].outlook() is None


def test_the_meter_stops_with_the_trace_and_counts_starting_and_draining() -> None:
    staged = bench(*[2.0] * 5)
    run = run_policy(bench=staged, autoscaler=FixedCount("static", 3))
    assert run.gpu_hours == pytest.approx(3 * staged.duration_s / 3600)
    assert np.isfinite(run.outcome.e2e_s).all()


def test_gpus_that_wait_for_nobody_are_told_and_so_is_how_long_starts_took() -> None:
    staged = bench(*[0.0] * 5, 2.0)
    row = figures(run=run_policy(bench=staged, autoscaler=FixedCount("static", 3)), bench=staged)
    assert row["idle_gpu_hours"] == pytest.approx(row["gpu_hours"], rel=0.25)
    assert 0.0 < row["idle_gpu_hours"] < row["gpu_hours"]
    assert row["wake_s"] == {}, "nothing was started"


def test_how_long_starts_took_is_told_by_the_tier_that_they_began_in(found: Replay) -> None:
    foretide = found.summary["policies"][1]
    assert foretide["wake_s"].keys() == {"warm-node"}
    assert 15.0 < foretide["wake_s"]["warm-node"]["p50"] < 60.0


def test_a_request_that_cannot_finish_in_time_counts_as_missed() -> None:
    staged = bench(*[60.0] * 8)
    run = run_policy(bench=staged, autoscaler=FixedCount("static", 1))
    row = figures(run=run, bench=staged)
    assert row["unfinished"] == int(np.isnan(run.outcome.e2e_s).sum())
    assert row["unfinished"] > 0 or float(run.outcome.e2e_s.max()) <= GRACE_S + staged.duration_s
    assert row["attainment"]["joint"] < 0.5


def test_the_fleet_is_recorded_at_every_scrape() -> None:
    series = run_policy(bench=bench(2.0, 4.0), autoscaler=FixedCount("static", 2)).series
    np.testing.assert_allclose(np.diff(series.at), 15.0)
    np.testing.assert_allclose(series.demand[1:8], [2.0] * 4 + [4.0] * 3, rtol=0.05)
    assert (series.ready == 2).all()


def test_the_evaluation_begins_after_whole_bins_of_training() -> None:
    staged = scenario(train_fraction=0.4)
    assert split_at(staged, trace(*[2.0] * 10), train_until=None) == 180.0
    assert split_at(staged, trace(*[2.0] * 10), train_until=250.0) == 250.0


def test_a_training_part_must_leave_something_to_judge() -> None:
    with pytest.raises(BadScenario, match=r"^--train-until: 900 s: the trace ends at 600 s"):
        split_at(scenario(), trace(*[2.0] * 10), train_until=900.0)


def test_the_training_part_is_history_and_not_replayed() -> None:
    staged = replace(scenario(source=MORNING), train_fraction=0.5)
    found = replay(staged, policies=["static"], seed=3)
    assert found.bench.history is not None
    assert found.bench.history.end == found.bench.begins_s == 1140.0
    assert found.summary["policies"][0]["requests"] == len(found.bench.trace)
    assert "training part" in found.summary["policies"][0]["note"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["hpaa"], r"hpaa: unknown policy; did you mean hpa\? there are static, static-mean, hpa, "),
        ([], "none given"),
    ],
)
def test_a_policy_that_cannot_be_run_names_those_that_can(names: list[str], message: str) -> None:
    with pytest.raises(UnknownPolicy, match=message):
        check_policies(names)
