from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from staged import SERVICE, bench, trace

from foretide.policies.flow import CapacityTable, WorkPerUnit
from foretide.simulator.autoscaler import View
from foretide.simulator.fleet import PodCounters
from foretide.simulator.rivals import (
    ExternalMetricHpa,
    FixedCount,
    average_value,
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


def view(*, now: float, desired: int, waiting: float | None) -> View:
    pods = {} if waiting is None else {"a": PodCounters(0, 0, int(waiting), 0, 0, 0.0)}
    at = None if waiting is None else now
    return View(now, desired, desired, 0, at, MappingProxyType(pods), dict)


def hpa(**changes: object) -> ExternalMetricHpa:
    usual: dict[str, object] = {"name": "hpa", "gauge": "waiting", "target": 5.0, "min_replicas": 1, "max_replicas": 20}
    return ExternalMetricHpa(**(usual | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("total", "current", "wanted"),
    [(0, 3, 0), (15, 3, 3), (16, 3, 3), (16.5, 3, 3), (17, 3, 4), (13.5, 3, 3), (13, 3, 3), (10, 3, 2), (100, 3, 20)],
)
def test_average_value_divides_the_total_and_tolerates_a_tenth(total: float, current: int, wanted: int) -> None:
    assert average_value(total=total, target=5.0, current=current) == wanted


def test_hpa_goes_up_at_once_by_at_most_the_greater_of_four_pods_and_a_doubling() -> None:
    assert hpa().decide(view(now=0, desired=2, waiting=90)).replicas == 6
    assert hpa().decide(view(now=0, desired=6, waiting=90)).replicas == 12


def test_hpa_never_leaves_its_limits() -> None:
    policy = hpa(min_replicas=2, max_replicas=5)
    assert policy.decide(view(now=0, desired=3, waiting=500)).replicas == 5
    for step in range(1, 60):
        choice = policy.decide(view(now=15.0 * step, desired=5, waiting=0))
    assert choice.replicas == 2


def test_hpa_comes_down_only_after_five_minutes_without_need() -> None:
    policy = hpa()
    policy.decide(view(now=0, desired=4, waiting=20))
    times = [15.0 * step for step in range(1, 40)]
    choices = {at: policy.decide(view(now=at, desired=4, waiting=0)).replicas for at in times}
    assert all(choices[at] is None for at in times if at < 300)
    assert choices[300.0] == 1


def test_hpa_begins_with_what_it_finds_as_its_first_recommendation() -> None:
    assert hpa().decide(view(now=0, desired=4, waiting=0)).replicas is None


def test_hpa_without_a_metric_does_nothing() -> None:
    choice = hpa().decide(view(now=0, desired=4, waiting=None))
    assert (choice.replicas, choice.code) == (None, "Blind")


def test_a_fixed_count_never_asks_for_anything() -> None:
    policy = FixedCount("static", 7)
    assert policy.begins_with == 7
    assert policy.decide(view(now=0, desired=7, waiting=1000)).replicas is None


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
