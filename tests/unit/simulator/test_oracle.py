import numpy as np
import pytest
from staged import OBJECTIVE, bench

from foretide.policies.flow import CapacityTable
from foretide.simulator.oracle import Trajectory, _Search, lower_of, missed, oracle, rolling_maximum, spliced, standing
from foretide.simulator.rivals import FixedCount
from foretide.simulator.run import run_policy
from foretide.simulator.score import attainment

ORDERS = ((0.0, 2), (65.0, 4), (130.0, 3))


def test_a_trajectory_stands_from_its_order_until_the_next() -> None:
    assert [standing(ORDERS, at) for at in (0.0, 64.9, 65.0, 129.0, 1000.0)] == [2, 2, 4, 4, 3]


def test_a_trajectory_replays_the_orders_of_a_run() -> None:
    staged = bench(*[4.0] * 4)
    again = run_policy(bench=staged, autoscaler=Trajectory("again", ORDERS, staged.begins_s))
    assert again.orders == ORDERS


def test_the_smaller_count_stands_at_every_moment() -> None:
    assert lower_of(ORDERS, ((0.0, 3), (100.0, 1))) == ((0.0, 2), (65.0, 3), (100.0, 1))


def test_a_splice_changes_over_at_its_moment() -> None:
    orders = spliced(ORDERS, ((0.0, 1), (50.0, 9), (200.0, 7)), at=100.0)
    assert [standing(orders, at) for at in (0.0, 70.0, 99.0, 100.0, 150.0, 200.0)] == [2, 4, 4, 9, 9, 7]


def test_a_rolling_maximum_looks_ahead() -> None:
    np.testing.assert_array_equal(rolling_maximum(np.array([1.0, 5.0, 2.0, 1.0, 1.0]), 1), [5, 5, 2, 1, 1])


def test_the_oracle_keeps_the_promise_for_less_than_a_fixed_count_that_keeps_it() -> None:
    staged = bench(*[5.0] * 4, *[30.0] * 3, *[5.0] * 6, initial=2)
    fixed = run_policy(bench=staged, autoscaler=FixedCount("static", 4))
    found = oracle(bench=staged, others=(fixed,))
    for run in (fixed, found):
        assert (attainment(outcome=run.outcome, objective=OBJECTIVE)["joint"] or 0) >= 0.99
    assert found.gpu_hours < fixed.gpu_hours
    assert found.policy == "oracle"


def test_the_oracle_is_never_dearer_than_a_run_that_keeps_the_promise() -> None:
    staged = bench(*[5.0] * 4)
    cheap = run_policy(bench=staged, autoscaler=Trajectory("lucky", ((0.0, 1),), 0.0))
    assert oracle(bench=staged, others=(cheap,)).gpu_hours <= cheap.gpu_hours


def test_where_no_plan_keeps_the_promise_the_nearest_one_is_told() -> None:
    found = oracle(bench=bench(*[60.0] * 3, max_replicas=1))
    assert "no plan reached" in found.note
    assert (attainment(outcome=found.outcome, objective=OBJECTIVE)["joint"] or 0) < 0.99


def test_progress_ends_within_the_whole() -> None:
    told: list[float] = []
    oracle(bench=bench(*[5.0] * 2), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0, abs=0.2)
    assert max(told) <= 1.0


def test_misses_grow_from_the_allowed_share_at_the_limit_to_all_of_them() -> None:
    table = CapacityTable((1,), (10.0,), ("ttft",), steepness=10.0)
    found = missed(work=np.array([10.0, 11.0, 90.0]), requests=np.full(3, 100.0), capacity=table, allowed=0.01, most=2)
    assert found[:, 0].tolist() == [100.0, 100.0, 100.0]
    assert found[0, 1] == pytest.approx(1.0)
    assert found[1, 1] == pytest.approx(np.e)
    assert found[2, 1] == 100.0
    assert (np.diff(found, axis=1) <= 0).all()


def test_a_dearer_miss_buys_more_replicas() -> None:
    search = _Search(bench(*[5.0] * 4, *[30.0] * 3, *[5.0] * 3, initial=2), None)
    sizes = [max(count for _, count in search.plan(price)) for price in (0.01, 10.0, 1e5)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
