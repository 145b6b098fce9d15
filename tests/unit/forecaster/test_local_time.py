"""A day is a day of the clock: across a change, forecasts look where the clock showed the same time."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.forecaster.ladder import Ladder
from foretide.forecaster.local_time import LocalTime, aligned, offset_of
from foretide.forecaster.past import past_of
from foretide.forecaster.seasonal import SeasonalWindows
from foretide.policies.flow import REQUESTS, DemandForecast, DemandHistory, Floats, Trust, frozen

STEP, DAY = 300.0, 86400.0
SPRING = datetime(2027, 3, 28, 1, tzinfo=UTC).timestamp()
AUTUMN = datetime(2027, 10, 31, 1, tzinfo=UTC).timestamp()
BERLIN = offset_of("Europe/Berlin")
Make = Callable[..., DemandHistory]


def clock(at: Floats) -> Floats:
    """Demand that follows nothing but the clock in Berlin: quiet nights, and a sharp rise at seven."""
    hour = np.array([((time + BERLIN(float(time))) % DAY) / 3600 for time in at])
    return np.asarray(20 + 80 / (1 + np.exp(-4 * (hour - 7))) - 60 / (1 + np.exp(-2 * (hour - 19))), dtype=np.float64)


def told(end: float, *, days: float = 4.0) -> DemandHistory:
    start = end - days * DAY
    rate = clock(start + STEP * np.arange(round(days * DAY / STEP)) + STEP / 2)
    return DemandHistory(start, STEP, frozen(np.column_stack([rate, 1000 * rate, 200 * rate])), Trust.FRESH)


class Yesterday:
    """Repeats what was a day ago: the plainest of seasons."""

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        day = round(DAY / history.step)
        rows = history.values[len(history.values) - day :][:horizon]
        return DemandForecast(history.end, history.step, frozen(np.tile(rows, (paths, 1, 1))), {"yesterday": 1.0})


def error(history: DemandHistory, made: DemandForecast | None) -> float:
    assert made is not None
    ahead = made.made_at + STEP * np.arange(made.paths.shape[1]) + STEP / 2
    return float(np.abs(made.paths[:, :, REQUESTS].mean(axis=0) - clock(ahead)).mean())


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
@pytest.mark.parametrize("hours", [1, 4, 10, 20, 23])
def test_after_a_clock_change_yesterday_is_yesterdays_clock(change: float, hours: int) -> None:
    history = told(change + hours * 3600)
    asked = {"history": history, "horizon": 24, "paths": 4, "seed": 0}
    kept = error(history, LocalTime(Yesterday(), BERLIN).forecast(**asked))  # type: ignore[arg-type]
    plain = error(history, Yesterday().forecast(**asked))  # type: ignore[arg-type]
    assert kept < 0.02
    assert plain >= kept


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_a_rise_in_the_morning_after_the_change_is_seen_at_its_hour(change: float) -> None:
    """The ladder's own tier, half an hour before seven on the day of the change."""
    history = told(change - BERLIN(change - 1) + 6.5 * 3600 + (BERLIN(change - 1) - BERLIN(change + 1)) + 3600)
    rng = np.random.default_rng
    errors = []
    for seen in (aligned(history, BERLIN), history):
        paths = SeasonalWindows().paths(past=past_of(seen), horizon=18, count=64, rng=rng(0))
        assert paths is not None
        truth = clock(history.end + STEP * np.arange(18) + STEP / 2)
        errors.append(float(np.abs(paths[:, :, REQUESTS].mean(axis=0) - truth).mean()))
    assert errors[0] < 0.5 * errors[1]


def test_a_change_within_the_horizon_moves_what_comes_behind_it() -> None:
    history = told(SPRING - 2 * 3600)
    made = LocalTime(Yesterday(), BERLIN).forecast(history=history, horizon=84, paths=2, seed=0)
    assert made is not None
    assert made.paths.shape == (2, 84, 3)
    assert error(history, made) < 0.02
    plain = Yesterday().forecast(history=history, horizon=84, paths=2, seed=0)
    assert plain is not None
    np.testing.assert_array_equal(made.paths[:, :24], plain.paths[:, :24])


def test_an_hour_that_comes_twice_is_answered_as_it_stands() -> None:
    history = told(AUTUMN - 1800)
    made = LocalTime(Yesterday(), BERLIN).forecast(history=history, horizon=84, paths=2, seed=0)
    assert made is not None
    assert made.paths.shape == (2, 84, 3)
    assert np.isfinite(made.paths).all()
    late = made.paths[:, 18:, REQUESTS].mean(axis=0)
    np.testing.assert_allclose(late, clock(history.end + STEP * np.arange(18, 84) + STEP / 2), atol=0.05)


def test_without_a_change_in_sight_nothing_moves(history: Make, days: Callable[..., Floats]) -> None:
    seen = history(days(300))
    asked = {"history": seen, "horizon": 30, "paths": 64, "seed": 5}
    plain = Ladder().forecast(**asked)  # type: ignore[arg-type]
    kept = LocalTime(Ladder(), BERLIN).forecast(**asked)  # type: ignore[arg-type]
    assert plain is not None
    assert kept is not None
    np.testing.assert_array_equal(plain.paths, kept.paths)
    assert aligned(seen, BERLIN) is seen


def test_a_zone_without_changes_never_moves_anything() -> None:
    for zone in ("UTC", "Asia/Kolkata"):
        history = told(SPRING + 7200)
        assert aligned(history, offset_of(zone)) is history


def test_a_forecaster_without_an_answer_has_none_here() -> None:
    empty = DemandHistory(SPRING, STEP, frozen(np.full((3, 3), np.nan)), Trust.FRESH)
    assert LocalTime(Ladder(), BERLIN).forecast(history=empty, horizon=4, paths=8, seed=0) is None


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca", "UTC")


@given(
    st.sampled_from(ZONES),
    st.floats(1.6e9, 1.95e9).map(lambda at: at // 900 * 900),
    st.integers(1, 600),
    st.sampled_from([30.0, 60.0, 900.0]),
)
def test_the_newest_rows_stay_and_no_number_is_invented(zone: str, end: float, rows: int, step: float) -> None:
    values = np.column_stack([np.arange(rows, dtype=float)] * 3)
    history = DemandHistory(end - rows * step, step, frozen(values), Trust.FRESH)
    moved = aligned(history, offset_of(zone))
    recent = round(12 * 3600 / step)
    np.testing.assert_array_equal(moved.values[-recent:], history.values[-recent:])
    found = moved.values[np.isfinite(moved.values)]
    assert set(found.tolist()) <= set(range(rows))
    assert (moved.start, moved.step, len(moved.values)) == (history.start, history.step, rows)


@given(st.floats(1.6e9, 1.95e9), st.sampled_from(ZONES))
def test_the_offset_is_that_of_the_clock(at: float, zone: str) -> None:
    wall = datetime.fromtimestamp(at, ZoneInfo(zone)).replace(tzinfo=UTC).timestamp()
    assert abs(wall - at - offset_of(zone)(at)) < 1e-3
