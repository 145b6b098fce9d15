import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.policies.flow import Floats
from foretide.simulator.prophet_like import ProphetLike, fitted_trend

AT = np.arange(50.0)


def noise(seed: float, size: float) -> Floats:
    """Neither even nor random."""
    return np.asarray(size * (np.sin(seed + 1.7 * AT) + np.cos(2.3 * AT * seed % 7)))


SERIES = {
    "level": 100 + noise(1, 5),
    "ramp": 20 + 3 * AT + noise(2, 4),
    "bend": np.where(AT < 25, 50 + 2 * AT, 100 - (AT - 25)) + noise(3, 3),
    "step": np.where(AT < 30, 40.0, 160.0) + noise(4, 5),
    "wave": 200 + 100 * np.sin(AT / 8) + noise(5, 10),
    "short": (30 + 4 * AT + noise(6, 2))[:8],
    "six": np.array([3.0, 9.0, 4.0, 12.0, 8.0, 15.0]),
    "fall": np.maximum(0, 120 - 5 * AT),
    "spike": np.where(AT == 48, 900.0, 60.0) + noise(7, 6),
}
PROPHET = {
    "level": 101.0034,
    "ramp": 170.1707,
    "bend": 72.3627,
    "step": 176.4023,
    "wave": 101.9265,
    "short": 62.8474,
    "six": 14.9797,
    "fall": 0.0124,
    "spike": 125.9076,
}
"""What Prophet 1.5.0 with its defaults says comes next, three minutes apart."""


def told(values: Floats) -> ProphetLike:
    predictor = ProphetLike()
    for value in values:
        predictor.add(float(value))
    return predictor


@pytest.mark.parametrize("name", SERIES)
def test_the_next_value_is_that_of_prophet_within_half_a_percent_of_the_largest(name: str) -> None:
    values = np.round(np.maximum(SERIES[name], 0), 3)
    (found,) = told(values).predict()  # type: ignore[misc]
    assert found == pytest.approx(PROPHET[name], abs=0.005 * values.max())


def test_it_remembers_fifty_values() -> None:
    long = told(np.r_[np.full(30, 7000.0), SERIES["ramp"]])
    assert long.predict() == pytest.approx(told(SERIES["ramp"]).predict())


def test_before_there_are_five_it_is_the_last_value_and_nothing_before_the_first() -> None:
    assert ProphetLike().predict() is None
    assert told(np.array([0.0, 0.0, 3.0, 9.0, 4.0, 12.0])).predict() == pytest.approx([12.0])


def test_an_exact_line_goes_on() -> None:
    assert told(10 + 2 * AT).predict(3) == pytest.approx([110, 112, 114], rel=0.01)


@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.floats(0, 1e6), min_size=5, max_size=50), factor=st.sampled_from([0.01, 1.0, 1000.0]))
def test_predictions_are_finite_and_not_negative_and_their_unit_does_not_matter(
    values: list[float], factor: float
) -> None:
    series = np.array(values) + 1.0
    found = told(series).predict(2)
    assert found is not None
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert told(factor * series).predict(2) == pytest.approx(factor * found, rel=1e-3, abs=1e-3 * factor * series.max())


def test_without_a_bend_the_trend_is_straight() -> None:
    trend = fitted_trend(5.0 + AT)
    middle, ends = trend.at(np.array([0.5])), trend.at(np.array([0.0, 1.0]))
    assert middle == pytest.approx([ends.mean()], rel=1e-3)
