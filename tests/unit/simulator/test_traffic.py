import numpy as np
import pytest
from seen import steady_pod, view

from foretide.simulator.scenario import Pace
from foretide.simulator.traffic import Traffic, arrived, completed, of_row


def test_completed_requests_are_counted_over_the_window_of_all_replicas() -> None:
    pods = {"a": steady_pod(2.0, until=300), "b": steady_pod(1.0, until=300, prompt=400, output=50)}
    found = completed(pods, now=305, window_s=60)
    assert found is not None
    assert found.requests == pytest.approx(3.0)
    assert found.prompt_tokens == pytest.approx((2 * 1000 + 400) / 3)
    assert found.output_tokens == pytest.approx((2 * 200 + 50) / 3)


def test_a_replica_that_came_within_the_window_is_not_reached_back_beyond_its_zero() -> None:
    # 10 requests in 10 s of a window of 60 s: nothing before, and at most half an interval after.
    pods = {"a": steady_pod(1.0, since=40, until=50, every=5)}
    found = completed(pods, now=60, window_s=60)
    assert found is not None
    assert found.requests == pytest.approx((10 + 2.5) / 60)


def test_one_sample_is_no_rate() -> None:
    assert completed({"a": steady_pod(1.0, until=300)}, now=308, window_s=9) is None
    assert completed({}, now=308, window_s=60) is None


def test_arrivals_are_those_of_the_last_bins() -> None:
    pods = {"a": steady_pod(2.0, until=300)}
    found = arrived(view(now=305, ready=1, samples=pods), window_s=60, pace=Pace())
    assert found is not None
    assert found.requests == pytest.approx(2.0)
    assert found.prompt_tokens == pytest.approx(1000)


def test_nothing_measured_is_not_idleness() -> None:
    assert arrived(view(now=305, ready=1, samples={}), window_s=60, pace=Pace()) is None
    idle = arrived(view(now=305, ready=1, samples={"a": steady_pod(0.0, until=300)}), window_s=60, pace=Pace())
    assert idle is not None
    assert idle.requests == 0.0


def test_traffic_and_demand_are_the_same_thing_twice() -> None:
    np.testing.assert_allclose(of_row(np.array([2.0, 600.0, 50.0])).row, [2.0, 600.0, 50.0])
    np.testing.assert_allclose(Traffic(0.0, np.nan, np.nan).row, np.zeros(3))


def test_both_readings_count_what_is_left_when_a_replica_is_not_scraped() -> None:
    """As sums in Prometheus do; docs/rivals.md says who goes by them."""
    pods = {"a": steady_pod(2.0, until=300), "b": steady_pod(2.0, until=150)}
    seen = arrived(view(now=305, ready=2, samples=pods), window_s=60, pace=Pace())
    done = completed(pods, now=305, window_s=60)
    assert seen is not None
    assert done is not None
    assert (seen.requests, done.requests) == pytest.approx((2.0, 2.0))
