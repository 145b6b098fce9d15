"""The day has its ratio, the week its weekend, a holiday its dip; a day is the same in every span that holds it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.rhythm import CATCH_UP, HOLIDAY, day_factor, intensity, lateness
from foretide.simulator.shape import WorkloadShape

CALM = WorkloadShape(mean_rps=3.0, bursts_per_day=0.0, wander=0.0)
LIVELY = WorkloadShape(mean_rps=3.0, day_s=3600.0, weekday_ratio=1.3)


def test_peak_and_trough_have_the_declared_ratio_and_the_day_its_mean() -> None:
    _, rate = intensity(replace(CALM, peak_to_trough=5.0), seed=0, first_day=0, days=1)
    assert rate.max() / rate.min() == pytest.approx(5.0, rel=1e-3)
    assert rate.mean() == pytest.approx(3.0)
    assert rate.argmin() / 60 == pytest.approx(4.0, abs=0.1)
    assert rate.argmax() / 60 == pytest.approx(16.0, abs=0.1)


def test_weekdays_have_the_declared_ratio_to_weekends_and_the_week_its_mean() -> None:
    """About 30 % more on weekdays (Serverless Cold Starts and Where to Find Them, EuroSys'25)."""
    _, rate = intensity(replace(CALM, weekday_ratio=1.3), seed=0, first_day=0, days=7)
    days = rate.reshape(7, 1440).mean(axis=1)
    np.testing.assert_allclose(days[:5] / days[5], 1.3)
    assert days[5] == pytest.approx(days[6])
    assert days.mean() == pytest.approx(3.0)


def test_the_week_may_begin_on_any_day() -> None:
    saturday = replace(CALM, weekday_ratio=2.0, first_weekday=5)
    assert day_factor(saturday, 0) == day_factor(saturday, 1) < day_factor(saturday, 2)
    assert day_factor(saturday, -1) == day_factor(saturday, 2)


def test_a_holiday_dips_and_the_day_after_catches_up() -> None:
    shape = replace(CALM, holidays=(1, 2))
    factors = [day_factor(shape, day) for day in range(5)]
    assert factors == pytest.approx([1.0, HOLIDAY, HOLIDAY, CATCH_UP, 1.0])


@given(
    first=st.integers(min_value=-40, max_value=40),
    days=st.integers(min_value=1, max_value=4),
    seed=st.integers(min_value=0, max_value=99),
)
def test_a_day_is_the_same_in_every_span_that_holds_it(first: int, days: int, seed: int) -> None:
    edges, rate = intensity(LIVELY, seed=seed, first_day=first, days=days)
    own_edges, own = intensity(LIVELY, seed=seed, first_day=first + days - 1, days=1)
    np.testing.assert_allclose(edges[-1441:], own_edges)
    np.testing.assert_allclose(rate[-1440:], own)
    assert (rate > 0).all()


@given(st.floats(min_value=-100, max_value=100))
def test_lateness_is_a_share_that_returns_every_day(day: float) -> None:
    assert 0.0 <= lateness(np.array([day]))[0] <= 1.0
    np.testing.assert_allclose(lateness(np.array([day])), lateness(np.array([day + 1.0])), atol=1e-9)
