from dataclasses import replace

import numpy as np
import pytest
from seen import pod, view
from staged import SERVICE, bench, trace

from foretide.policies.flow import CapacityTable, WorkPerUnit
from foretide.simulator.rivals import (
    FixedCount,
    demand_rows,
    fewest_for,
    fewest_that_keep,
    keeps,
    mean_count,
    minutes_of_work,
    peak_count,
    steady,
    usual_concurrency,
)

PER_REQUEST = WorkPerUnit(1.0, 0.0, 0.0)
TEN = CapacityTable((1,), (10.0,), ("ttft",))


def test_a_fixed_count_never_asks_for_anything() -> None:
    policy = FixedCount("static", 7)
    assert policy.begins_with == 7
    assert policy.decide(view(pod(waiting=1000), ready=7)).replicas is None


def test_demand_is_counted_per_bin_and_second() -> None:
    rows = demand_rows(trace(2.0, 4.0, prompt=100, output=10), start=0, end=120, step=60)
    np.testing.assert_allclose(rows, [[2, 200, 20], [4, 400, 40]])


def test_the_last_part_of_a_minute_is_left_out() -> None:
    cut = trace(6.0, 6.0, 60.0).between(0, 130)
    np.testing.assert_allclose(minutes_of_work(cut, work=PER_REQUEST), [6, 6])


def test_static_is_sized_for_the_peak_and_static_mean_for_the_mean() -> None:
    day = bench(*[5.0] * 9, 60.0, *[5.0] * 4)
    peak, mean = peak_count(day), mean_count(day)
    assert peak > mean == 1
    assert keeps(steady(day.trace, rate=60.0, seed=1), replicas=peak, bench=day)
    assert not keeps(steady(day.trace, rate=60.0, seed=1), replicas=peak - 1, bench=day)


def test_what_no_count_can_keep_gets_the_largest() -> None:
    day = bench(60.0, max_replicas=2)
    assert fewest_that_keep(steady(day.trace, rate=60.0, seed=1), bench=day) == 2


def test_a_training_part_is_what_a_fixed_count_is_sized_by() -> None:
    day = replace(bench(*[60.0] * 2), past=trace(*[5.0] * 3))
    assert peak_count(day) == 1


def test_a_count_is_at_least_one_and_at_most_what_is_allowed() -> None:
    assert fewest_for(0.0, capacity=TEN, most=9) == 1
    assert fewest_for(1000.0, capacity=TEN, most=9) == 9
    assert fewest_for(20.0, capacity=TEN, most=9) == 2


def test_a_steady_load_has_the_rate_that_it_is_asked_for() -> None:
    found = steady(trace(5.0), rate=40.0, seed=1)
    assert len(found) / found.arrival_s[-1] == pytest.approx(40.0, rel=0.05)


def test_the_usual_concurrency_leaves_headroom_below_what_was_measured() -> None:
    staged = bench(5.0)
    target = usual_concurrency(staged)
    # Little's law: 12 requests/s per replica of about 200 x 12 ms each run at once, and 70 % of that is the target.
    assert SERVICE.capacity.total(1) * 200 * 0.008 * 0.7 < target < SERVICE.capacity.total(1) * 200 * 0.02 * 0.7
