from typing import Any

import numpy as np
import pytest
from given import history
from seen import moments, pod, steady_pod, view
from staged import SERVICE

from foretide.simulator.sageserve import TO_MINUTE, SageServe, Thresholds, look_ahead, per_minute
from foretide.simulator.scenario import Pace

HALF, FULL, QUIET = pod(running=6), pod(running=10), pod(running=2)
NOW = 6000.0


def sageserve(*rates: float, **changes: Any) -> SageServe:
    past = history(*rates, step=30.0, now=NOW) if rates else None
    return SageServe(
        service=SERVICE,
        pace=Pace(),
        full=10.0,
        min_replicas=1,
        max_replicas=9,
        thresholds=Thresholds(**changes),
        history=past,
    )


def test_a_smaller_hourly_count_is_taken_at_once() -> None:
    # A steady 24 requests/s and 10 % at 12 per replica: three.
    assert sageserve(*[24.0] * 40).decide(view(*[QUIET] * 6, now=NOW)).replicas == 3


def test_a_larger_one_is_owed_and_paid_one_by_one_as_utilisation_asks() -> None:
    policy = sageserve(*[24.0] * 40)
    assert policy.decide(view(QUIET, now=NOW)).replicas is None
    assert policy.decide(view(QUIET, now=NOW + 15)).replicas is None
    assert policy.decide(view(HALF, now=NOW + 30)).replicas == 2
    assert policy.decide(view(HALF, starting=1, now=NOW + 45)).code == "ScalingInProgress"
    assert policy.decide(view(HALF, HALF, now=NOW + 75)).replicas == 3
    assert policy.decide(view(FULL, FULL, FULL, now=NOW + 105)).replicas is None


def test_a_surprise_adds_beyond_the_count_and_quiet_takes_it_back() -> None:
    policy = sageserve(*[6.0] * 40)
    policy.decide(view(HALF, now=NOW))
    flood = {"a": steady_pod(40.0, since=NOW, until=NOW + 90)}
    assert policy.decide(view(FULL, now=NOW + 90, samples=flood)).replicas == 2
    calm = {"a": steady_pod(1.0, since=NOW, until=NOW + 180)}
    assert policy.decide(view(HALF, HALF, now=NOW + 165, samples=calm)).replicas is None
    assert policy.decide(view(QUIET, QUIET, now=NOW + 180, samples=calm)).replicas == 1


def test_lt_i_takes_what_is_owed_whatever_the_utilisation_and_nothing_more() -> None:
    policy = sageserve(*[24.0] * 40, variant="immediate")
    assert policy.decide(view(QUIET, now=NOW)).replicas is None
    assert policy.decide(view(QUIET, now=NOW + 15)).replicas == 2
    assert policy.decide(view(QUIET, starting=1, now=NOW + 30)).code == "ScalingInProgress"
    assert policy.decide(view(QUIET, QUIET, now=NOW + 75)).replicas == 3
    flood = {"a": steady_pod(400.0, since=NOW, until=NOW + 150)}
    assert policy.decide(view(FULL, FULL, FULL, now=NOW + 150, samples=flood)).replicas is None


def test_lt_u_goes_by_utilisation_where_lt_ua_goes_by_the_forecast() -> None:
    policy = sageserve(*[6.0] * 40, variant="utilization")
    policy.decide(view(HALF, now=NOW))
    flood = {"a": steady_pod(40.0, since=NOW, until=NOW + 90)}
    assert policy.decide(view(HALF, now=NOW + 90, samples=flood)).replicas is None
    assert policy.decide(view(FULL, now=NOW + 105)).replicas == 2


def test_the_hour_is_counted_from_the_last_forecast() -> None:
    policy = sageserve(*[24.0] * 40, interval_s=600.0)
    codes = {at: policy.decide(view(QUIET, QUIET, QUIET, now=at)).code for at in moments(NOW, NOW + 1200, 15)}
    assert [at - NOW for at, code in codes.items() if code == "Hourly"] == [0.0, 600.0]


def test_without_history_it_waits_until_there_is_enough() -> None:
    assert sageserve().decide(view(FULL, now=NOW)).code == "Steady"
    assert sageserve().decide(view(ready=2, now=NOW)).code == "Blind"


def test_minutes_are_counted_from_the_end_and_gaps_are_bridged() -> None:
    found = per_minute(history(9.0, 1.0, 3.0, np.nan, 7.0, step=30.0), SERVICE)
    np.testing.assert_allclose(found, [2.0, 6.0])
    assert len(per_minute(history(np.nan, step=30.0), SERVICE)) == 0
    np.testing.assert_allclose(per_minute(history(4.0, 6.0, step=120.0), SERVICE), [4.0, 4.0, 6.0, 6.0])


def test_a_season_of_history_is_repeated() -> None:
    day = 10.0 + 5.0 * np.sin(2 * np.pi * np.arange(400) / 200)
    ahead = look_ahead(day[:330], season=200)
    assert ahead == pytest.approx(day[330 : 330 + TO_MINUTE], rel=0.1)


def test_a_season_shorter_than_the_hour_repeats_itself() -> None:
    day = 10.0 + 5.0 * np.sin(2 * np.pi * np.arange(300) / 40)
    assert look_ahead(day[:200], season=40) == pytest.approx(day[200:260], rel=0.1)


def test_without_a_season_it_is_arima_alone() -> None:
    assert look_ahead(np.full(30, 7.0), season=1440) == pytest.approx(np.full(TO_MINUTE, 7.0))
