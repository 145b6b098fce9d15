"""The shipped operator on a real control plane under rising and falling traffic, killed once, blinded once."""

from collections.abc import Iterator
from pathlib import Path

import closed_loop
import pytest
from closed_loop import BLIND_AT, ENDS_AT, KILL_AT, LOOK_BACK_AT, RETURN_AT, Recording

from foretide.cli.bed.bed import Bed

pytestmark = [pytest.mark.bed, pytest.mark.timeout(900)]
QUEUE = 20
"""Waiting requests that an ordinary batch boundary does not explain at these rates."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    folder: Path = tmp_path_factory.mktemp("closed-loop")
    with Bed.start() as own_bed:
        yield closed_loop.run(own_bed, folder)


def test_replicas_rise_before_the_queue_does(recording: Recording) -> None:
    rising = recording.between(80, KILL_AT)
    first_order = next(row.t for row in rising if row.desired > rising[0].desired)
    first_queue = next((row.t for row in rising if row.waiting > QUEUE), ENDS_AT)
    assert first_order < first_queue


def test_new_pods_become_ready_through_the_real_scheduler(recording: Recording) -> None:
    peak = recording.between(200, 300)
    assert max(row.ready for row in peak) >= 4
    assert max(row.ready for row in peak) == max(row.desired for row in peak)


def test_a_killed_operator_comes_back_without_a_wrong_move(recording: Recording) -> None:
    before = recording.between(KILL_AT - 5, KILL_AT)[-1].desired
    gone = recording.between(KILL_AT + 2, RETURN_AT)
    assert {row.desired for row in gone} == {before}
    assert min(row.desired for row in recording.between(RETURN_AT, RETURN_AT + 30)) >= before


def test_replicas_fall_with_demand(recording: Recording) -> None:
    peak = max(row.desired for row in recording.rows)
    assert recording.between(BLIND_AT - 10, BLIND_AT)[-1].desired <= peak - 2


def test_the_objective_holds_while_traffic_rises_and_falls(recording: Recording) -> None:
    shares = [row.kept for row in recording.between(80, BLIND_AT) if row.kept is not None]
    assert min(shares) >= 0.97
    assert recording.kept_overall is not None
    assert recording.kept_overall >= 0.99


def test_without_prometheus_the_count_is_held(recording: Recording) -> None:
    before = recording.between(BLIND_AT - 2, BLIND_AT + 1)[-1].desired
    assert {row.desired for row in recording.between(BLIND_AT + 2, ENDS_AT)} == {before}


def test_an_on_call_engineer_reads_state_reason_risk_and_forecast(recording: Recording) -> None:
    head, row = recording.printed.splitlines()[:2]
    assert head.split() == ["NAME", "TARGET", "MODE", "REPLICAS", "DESIRED", "RISK", "REASON", "AGE"]
    assert row.split()[:3] == ["llama", "llama", "Auto"]
    for told in ("Violation Probability", "Reason:", "Message:", "Forecast", "Lead Time", "ScalingActive"):
        assert told in recording.described


def test_a_backtest_finds_what_stood_and_what_it_cost(recording: Recording) -> None:
    present, ours = recording.backtested["policies"], recording.backtest
    assert [row["policy"] for row in present] == ["present", "foretide"], ours
    told = present[0]
    assert "the engines that reported" in told["note"]
    ready = max(row.ready for row in recording.rows)
    assert 1 < told["replicas"]["most"] <= ready
    seen = recording.between(LOOK_BACK_AT - 300, LOOK_BACK_AT)
    mean_ready = sum(row.ready for row in seen) / len(seen)
    assert told["gpu_hours"] > 0.5 * mean_ready * 150 / 3600
    asked = sum(row.rate for row in seen) / len(seen)
    assert told["requests"] == pytest.approx(asked * 180, rel=0.6)
    assert "windows kept" in ours
    assert "may hide demand" in ours
