"""GPU time against expected misses: the arithmetic by hand, and what follows from it."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
from given import evidence, forecast
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.ahead import Ahead, ahead_of
from foretide.policies.expected_cost import cheapest_count, count_by_cost, expected_misses, hourly_cost, missed_share
from foretide.policies.flow import CapacityTable, Costs, Evidence, frozen

TABLE = CapacityTable((1,), (10.0,), ("ttft",), steepness=20.0)


def ahead(*work: float, requests: float = 5.0) -> Ahead:
    row = frozen(np.array([work]))
    return Ahead(work=row, requests=np.full_like(row, requests), window=1, step=60.0)


def priced(violation: float, **changes: object) -> Evidence:
    usual = evidence(**changes)
    service = replace(usual.service, capacity=TABLE)
    return replace(usual, service=service, objective=replace(usual.objective, costs=Costs(1.0, violation)))


def test_at_the_limit_the_allowed_share_misses_and_a_tenth_beyond_it_grows_as_the_table_says() -> None:
    assert expected_misses(ahead(10.0), TABLE, 1, allowed=0.01) == pytest.approx(0.05)
    assert expected_misses(ahead(11.0), TABLE, 1, allowed=0.01) == pytest.approx(0.05 * exp(2.0))
    assert expected_misses(ahead(10.0, 11.0), TABLE, 1, allowed=0.01) == pytest.approx(0.025 * (1 + exp(2.0)))


def test_where_everybody_misses_the_share_goes_on_as_its_tangent() -> None:
    everyone = log(100.0) / 20.0
    shares = missed_share(np.array([everyone - 1e-6, everyone, everyone + 0.1]), 20.0, 0.01)
    assert shares == pytest.approx([1.0, 1.0, 3.0], abs=1e-4)


def test_the_cost_of_an_hour_is_gpus_and_missed_requests() -> None:
    seen = priced(0.5, pool=replace(evidence().pool, gpus_per_replica=4))
    cost = hourly_cost(seen, ahead(10.0), 1, miss=0.5, gpu_hour=2.0)
    assert cost == pytest.approx(2.0 * 4 + 0.5 * 3600 * 0.05)


def test_cheap_misses_need_fewer_replicas_than_dear_ones() -> None:
    counts = [
        count_by_cost(priced(price, pool=replace(evidence().pool, desired=0)), ahead(60.0, 80.0))
        for price in (1e-6, 1e-3, 1.0)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[2]


def test_no_overload_is_so_hopeless_that_the_least_would_be_the_answer() -> None:
    seen = priced(0.01)
    assert count_by_cost(seen, ahead(1e6)) == seen.pool.max_replicas


def test_what_comes_before_a_start_can_end_orders_nothing_but_keeps_what_is_there() -> None:
    """A crowd that is gone within one start of 90 s: too late to order for, too early to lower in."""
    crowd = ahead(80.0, 5.0, 5.0, 5.0)
    assert count_by_cost(priced(0.01, pool=replace(evidence().pool, desired=3)), crowd) == 3
    assert count_by_cost(priced(0.01, pool=replace(evidence().pool, desired=8)), crowd) >= 7


def test_an_objective_without_prices_is_refused() -> None:
    with pytest.raises(ValueError, match=r"objective\.costs: none: give gpuHour and violation"):
        count_by_cost(evidence(), ahead(1.0))


@given(
    st.lists(st.floats(0.0, 1e4), min_size=1, max_size=8),
    st.floats(1e-6, 10.0),
    st.integers(1, 2000),
    st.integers(0, 5),
)
def test_the_count_is_the_cheapest_of_all(work: list[float], price: float, most: int, least: int) -> None:
    least = min(least, most)
    seen, load = priced(price), ahead(*work)

    def cost(count: int) -> float:
        return hourly_cost(seen, load, count, miss=price, gpu_hour=1.0)

    found = cheapest_count(cost, least=least, most=most)
    assert least <= found <= most
    assert cost(found) <= min(cost(count) for count in range(least, most + 1)) * (1 + 1e-9)


def test_a_forecast_is_what_the_cost_is_expected_over() -> None:
    seen = priced(0.01, forecast=forecast(10.0, 50.0))
    assert seen.forecast is not None
    both = expected_misses(ahead_of(seen, seen.forecast), TABLE, 3, allowed=0.01)
    each = [expected_misses(ahead(rate, requests=rate), TABLE, 3, allowed=0.01) for rate in (10.0, 50.0)]
    assert both == pytest.approx(np.mean(each))
