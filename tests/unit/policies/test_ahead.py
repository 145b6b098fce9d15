"""What a decision looks ahead to: a horizon, and work at uncertain speed."""

from dataclasses import replace

import numpy as np
import pytest
from given import evidence, forecast

from foretide.policies.ahead import ahead_of, planning_horizon, recent_work, speed_draws


def test_speed_draws_have_the_model_s_median_and_spread() -> None:
    service = replace(evidence().service, log_speed_mean=0.1, log_speed_sd=0.2)
    logs = np.log(speed_draws(service, 1000))
    assert logs.mean() == pytest.approx(0.1, abs=0.001)
    assert logs.std() == pytest.approx(0.2, abs=0.005)
    assert abs(np.corrcoef(logs, np.arange(1000))[0, 1]) < 0.1


def test_work_ahead_ends_with_the_planning_horizon_and_bins_before_a_time_can_be_left_out() -> None:
    given = evidence(forecast=forecast(20.0, 30.0, steps=40))
    assert given.forecast is not None
    ahead = ahead_of(given, given.forecast)
    assert planning_horizon(given) == 210.0
    assert ahead.work.shape == ahead.requests.shape == (2, 4)
    assert ahead.since(119.0).work.shape == (2, 3)
    assert ahead.since(120.0).work.shape == (2, 2)
    assert ahead.since(1e6).work.shape == (2, 1)


def test_recent_work_is_the_mean_of_the_newest_two_bins() -> None:
    given = evidence()
    assert recent_work(given.history, given.service) == pytest.approx(25.0)
