"""Recorded counts beside Foretide on the same reconstructed requests."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.backtest import PRESENT, Counts, Setting, backtest, compared, orders_of, write_down
from foretide.simulator.oracle import standing
from foretide.simulator.reconstruct import reconstructed
from foretide.simulator.scenario import BadScenario, load_scenario

NAN = float("nan")
RATE = np.array([6.0, 6.0 * 700, 6.0 * 120])


def setting(**changes: Any) -> Setting:
    usual: dict[str, Any] = {
        "name": "prod/llama as recorded",
        "deployment": {"model": "Llama-3.1-8B", "gpu": "H100", "tp": 1},
        "objective": {"ttft": {"percentile": 99, "threshold": "500ms"}},
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
        "limits": {"min": 1, "max": 6},
        "cold_start_s": 60.0,
    }
    return Setting(**usual | changes)


def played(folder: Path, *, bins: int = 60) -> Path:
    return write_down(setting(), reconstructed(np.tile(RATE, (bins, 1)), step=30.0, longest=50_000, seed=0), out=folder)


def test_what_is_written_down_is_a_scenario_that_replay_reads(tmp_path: Path) -> None:
    scenario = load_scenario(played(tmp_path))
    assert scenario.name == "prod/llama as recorded"
    assert (scenario.min_replicas, scenario.max_replicas) == (1, 6)
    assert scenario.behavior.down.stabilization_s == 60
    assert scenario.cold_start.median_s == 60


def test_the_present_counts_stand_as_recorded_and_cost_what_they_cost(tmp_path: Path) -> None:
    counts = np.array([2.0] * 40 + [4.0] * 20)
    found = backtest(played(tmp_path), Counts(counts, ordered=True), train_until=600.0)
    present = found.summary["policies"][0]
    assert present["policy"] == PRESENT
    # 10 min of 2 and 10 min of 4 are judged; the last request comes a little before the end.
    assert present["gpu_hours"] == pytest.approx((2 * 600 + 4 * 600) / 3600, rel=0.02)
    assert present["scale_actions"] == 1
    assert [row["policy"] for row in found.summary["policies"]] == [PRESENT, "foretide"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "requests.csv.gz",
        "scenario.yaml",
        "summary.json",
        "decisions.jsonl",
    }


def test_fewer_allowed_than_stood_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadScenario, match=r"pools\[0\].maxReplicas: 6: 9 replicas stood in this time; raise it"):
        backtest(played(tmp_path), Counts(np.full(60, 9.0), ordered=True), train_until=600.0)


def test_a_ready_count_was_ordered_a_start_earlier_and_a_fall_when_it_came() -> None:
    counts = np.array([1, 1, 1, 1, 3, 3, 2, 2], dtype=float)
    assert orders_of(counts, step=30.0, begins_s=0.0, lead_s=0.0) == ((0.0, 1), (120.0, 3), (180.0, 2))
    assert orders_of(counts, step=30.0, begins_s=0.0, lead_s=60.0) == ((0.0, 1), (60.0, 3), (180.0, 2))


def test_an_unknown_count_is_the_one_before_it() -> None:
    assert orders_of(np.array([NAN, 2, NAN, 5, NAN]), step=10.0, begins_s=0.0, lead_s=0.0) == ((0.0, 2), (30.0, 5))


@given(
    counts=st.lists(st.integers(0, 9) | st.none(), min_size=1, max_size=40).filter(
        lambda them: any(c is not None for c in them)
    ),
    begins=st.integers(0, 39),
    lead=st.integers(0, 5),
)
def test_orders_stand_for_at_least_what_was_ready(counts: list[int | None], begins: int, lead: int) -> None:
    replicas = np.array([NAN if count is None else float(count) for count in counts])
    begins = min(begins, len(counts) - 1)
    orders = orders_of(replicas, step=30.0, begins_s=30.0 * begins, lead_s=30.0 * lead)
    assert orders[0][0] == 0.0
    assert all(later[0] > earlier[0] and later[1] != earlier[1] for earlier, later in pairwise(orders))
    for index in range(begins, len(counts)):
        wanted = standing(orders, 30.0 * (index - begins))
        if counts[index] is not None:
            assert wanted >= counts[index]
        if lead == 0 and counts[index] is not None:
            assert wanted == counts[index]


def test_what_is_saved_is_told_in_hours_and_as_a_share() -> None:
    present = {"policy": PRESENT, "gpu_hours": 10.0, "window_attainment": 0.9}
    told = compared(present, {"policy": "foretide", "gpu_hours": 8.0, "window_attainment": None})
    assert told["gpu_hours_saved"] == pytest.approx(2.0)
    assert told["share_saved"] == pytest.approx(0.2)
    assert told["window_attainment"] == {PRESENT: 0.9, "foretide": None}
    nothing = compared(present | {"gpu_hours": 0.0}, {"policy": "foretide", "gpu_hours": 1.0, "window_attainment": 1.0})
    assert nothing["share_saved"] is None
