import numpy as np
import pytest

from foretide.simulator.predictors import Arima, Constant, Kalman, Predictor, best_order
from foretide.simulator.prophet_like import ProphetLike


def told(predictor: Predictor, *values: float) -> float:
    for value in values:
        predictor.add(value)
    ahead = predictor.predict()
    assert ahead is not None
    return float(ahead[0])


@pytest.mark.parametrize("make", [Constant, Arima, Kalman])
def test_before_the_first_value_nothing_is_said(make: type[Constant]) -> None:
    predictor = make()
    predictor.add(0.0)  # the idle time before the first request is skipped
    assert predictor.predict() is None


@pytest.mark.parametrize("make", [Constant, Arima, Kalman, ProphetLike])
def test_after_a_rest_zeros_are_skipped_up_to_the_next_request(make: type[Constant]) -> None:
    rested, never = make(), make()
    for predictor in (rested, never):
        for value in (8.0, 9.0, 0.0, 8.0, 9.0):
            predictor.add(value)
    rested.rest()
    for value in (0.0, 0.0, 7.0, 0.0):
        rested.add(value)
    for value in (7.0, 0.0):
        never.add(value)
    assert rested.predict() == pytest.approx(never.predict())


def test_the_constant_is_the_last_value() -> None:
    assert told(Constant(), 3.0, 7.0, 5.0) == 5.0


def test_what_is_no_number_counts_as_idle() -> None:
    assert told(Constant(), 3.0, float("nan")) == 0.0


def test_one_step_of_the_kalman_filter_by_hand() -> None:
    # The spread [[1000, 0], [0, 1000]] becomes [[2001, 1000], [1000, 1000.1]]; gains 2001 / 2011 and 1000 / 2011.
    level = 10.0 + 2001 / 2011 * 10.0
    trend = 1000 / 2011 * 10.0
    assert told(Kalman(), 10.0, 20.0) == pytest.approx(level + trend)


def test_the_kalman_filter_follows_a_line() -> None:
    assert told(Kalman(), *[100.0 + 5.0 * i for i in range(60)]) == pytest.approx(400.0, abs=0.5)


def test_no_prediction_is_negative() -> None:
    assert told(Kalman(), *[100.0 - 10.0 * i for i in range(11)]) == 0.0


def test_arima_holds_the_last_value_until_it_knows_five() -> None:
    assert told(Arima(), 3.0, 9.0, 4.0) == 4.0


def test_arima_knows_an_alternating_series() -> None:
    rng = np.random.default_rng(1)
    series = [100.0 + (20.0 if i % 2 else -20.0) + rng.normal() for i in range(60)]
    assert told(Arima(), *series) == pytest.approx(80.0, abs=5.0)


def test_arima_keeps_the_order_that_it_chose_first() -> None:
    arima = Arima()
    first = told(arima, 10.0, 12.0, 9.0, 11.0, 10.0, 12.0)
    order = arima._order
    told(arima, *[100.0 + 30.0 * i for i in range(20)])
    assert np.isfinite(first)
    assert arima._order == order


def test_a_constant_series_stays_constant() -> None:
    assert told(Arima(), *[42.0] * 30) == 42.0


def test_a_random_walk_is_differenced() -> None:
    walk = 1000.0 + np.cumsum(np.random.default_rng(3).normal(size=200))
    assert best_order(walk)[1] == 1
    assert best_order(np.random.default_rng(3).normal(size=200))[1] == 0
