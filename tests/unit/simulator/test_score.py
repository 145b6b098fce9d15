from dataclasses import dataclass

import numpy as np
import pytest

from foretide.policies.flow import Floats, LatencyTarget, Objective
from foretide.simulator.score import (
    Life,
    attainment,
    percentiles,
    pod_utility_below_1,
    scale_actions,
    window_attainment,
    within,
)

BOTH = Objective(ttft=LatencyTarget(99.0, 0.5), tpot=LatencyTarget(90.0, 0.025), window_s=300.0)


@dataclass(frozen=True)
class Made:
    arrival_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats


def made(*, ttft: list[float], tpot: list[float] | None = None, arrival: list[float] | None = None) -> Made:
    count = len(ttft)
    times = np.array(ttft)
    return Made(
        arrival_s=np.array(arrival if arrival is not None else range(count), dtype=np.float64),
        ttft_s=times,
        tpot_s=np.array(tpot if tpot is not None else [0.01] * count),
        e2e_s=times + 1.0,
    )


def test_attainment_is_the_share_within_each_threshold_and_within_all() -> None:
    outcome = made(ttft=[0.1, 0.1, 0.9, 0.9], tpot=[0.01, 0.03, 0.01, 0.03])
    assert attainment(outcome=outcome, objective=BOTH) == {"ttft": 0.5, "tpot": 0.5, "joint": 0.25}


def test_an_unfinished_request_is_missed() -> None:
    outcome = made(ttft=[0.1, float("nan")])
    assert attainment(outcome=outcome, objective=BOTH)["joint"] == 0.5


def test_a_first_token_without_an_end_is_missed_as_well() -> None:
    outcome = made(ttft=[0.1])
    unfinished = Made(outcome.arrival_s, outcome.ttft_s, np.array([np.nan]), np.array([np.nan]))
    assert attainment(outcome=unfinished, objective=BOTH)["ttft"] == 0.0


def test_a_single_token_has_no_tpot_to_miss() -> None:
    outcome = made(ttft=[0.1], tpot=[float("nan")])
    assert within(outcome=outcome, name="tpot", target=LatencyTarget(99, 0.025)).all()


def test_what_is_not_declared_has_no_attainment() -> None:
    only = Objective(ttft=LatencyTarget(99.0, 0.5))
    assert attainment(outcome=made(ttft=[0.1]), objective=only) == {"ttft": 1.0, "tpot": None, "joint": 1.0}


def test_no_requests_have_no_attainment_rather_than_none_kept() -> None:
    assert attainment(outcome=made(ttft=[]), objective=BOTH)["joint"] is None
    assert window_attainment(outcome=made(ttft=[]), objective=BOTH) is None


def test_a_window_holds_when_every_declared_percentile_holds_in_it() -> None:
    kept = made(ttft=[0.1] * 10, tpot=[0.01] * 9 + [0.03], arrival=[10.0] * 10)
    broken = made(ttft=[0.1] * 10, tpot=[0.01] * 8 + [0.03] * 2, arrival=[10.0] * 10)
    assert window_attainment(outcome=kept, objective=BOTH) == 1.0
    assert window_attainment(outcome=broken, objective=BOTH) == 0.0


def test_windows_without_requests_are_not_counted() -> None:
    outcome = made(ttft=[0.1, 0.9], arrival=[10.0, 3000.0])
    assert window_attainment(outcome=outcome, objective=BOTH) == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_windows_agree_with_the_nearest_rank_percentile(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrival = np.sort(rng.uniform(0, 6000, 4000))
    ttft = rng.lognormal(np.log(0.2), 0.4, 4000)
    objective = Objective(ttft=LatencyTarget(99.0, 0.5), window_s=300.0)
    held = [
        np.percentile(ttft[arrival // 300 == window], 99, method="inverted_cdf") <= 0.5
        for window in np.unique(arrival // 300)
    ]
    outcome = made(ttft=list(ttft), arrival=list(arrival))
    assert window_attainment(outcome=outcome, objective=objective) == pytest.approx(np.mean(held))
    assert 0 < np.mean(held) < 1


def test_percentiles_leave_out_what_does_not_exist() -> None:
    values = np.array([1.0, 2.0, 3.0, np.nan])
    assert percentiles(values) == {"p50": 2.0, "p90": pytest.approx(2.8), "p99": pytest.approx(2.98)}
    assert percentiles(np.array([np.nan])) == {"p50": None, "p90": None, "p99": None}


def test_only_changes_of_the_count_are_actions() -> None:
    assert scale_actions([3, 3, 5, 4, 4]) == 2
    assert scale_actions([3]) == 0


def test_a_replica_that_was_busy_for_less_than_its_start_was_a_mistake() -> None:
    lives = [Life(0, 80, 100), Life(0, 80, 79), Life(0, float("inf"), 0), Life(0, 80, 80)]
    assert pod_utility_below_1(lives) == 0.5
    assert pod_utility_below_1([]) is None


def test_the_promise_amounts_to_its_strictest_percentile() -> None:
    assert BOTH.required_joint() == 0.99
