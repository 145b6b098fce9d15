"""What waits for its outcome, and what it is scored against."""

from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.maturity import outcome, pending, scores, season_before
from foretide.forecaster.past import Past, past_of
from foretide.policies.flow import DemandHistory

History = Callable[..., DemandHistory]


def past(history: History, rows: int, *, total: int = 40) -> Past:
    return past_of(history(np.arange(total, dtype=float))).until(rows)


def test_the_season_before_is_the_newest_whole_one_that_is_past(history: History) -> None:
    np.testing.assert_array_equal(season_before(past(history, 20), 3, 600.0), [10.0, 11.0, 12.0])
    np.testing.assert_array_equal(season_before(past(history, 20), 12, 600.0), np.arange(0.0, 12.0))


def test_before_the_first_season_there_is_none(history: History) -> None:
    assert np.isnan(season_before(past(history, 8), 3, 600.0)[:2]).all()
    assert season_before(past(history, 8), 3, 600.0)[2] == 0.0


def test_an_outcome_is_the_rows_after_the_forecast(history: History) -> None:
    waiting = pending(past(history, 10), {}, np.ones((50, 5, 3)), season_s=300.0, issued=None)
    found = outcome(waiting, past(history, 30))
    assert found is not None
    np.testing.assert_array_equal(found[:, 0], np.arange(10.0, 15.0))
    assert waiting.due == 15 * 60.0


def test_scores_are_means_over_the_measured_steps(history: History) -> None:
    sure = np.full((50, 5, 3), 11.0)
    waiting = pending(past(history, 10), {"sure": sure}, sure, season_s=300.0, issued=None)
    actual = np.array([[10.0], [11.0], [12.0], [np.nan], [14.0]]).repeat(3, axis=1)
    found = scores(waiting, actual)
    assert found.tiers == {"sure": pytest.approx((1 + 0 + 1 + 3) / 4)}
    assert found.pooled == found.tiers["sure"]
    assert found.last_value == pytest.approx((1 + 2 + 3 + 5) / 4)
    assert found.seasonal == pytest.approx(5.0)
    assert found.peaks == {}


def test_a_missed_peak_costs_nineteen_times_an_idle_one(history: History) -> None:
    low, high = np.full((50, 5, 3), 8.0), np.full((50, 5, 3), 14.0)
    high[:, 0] = 1.0
    waiting = pending(past(history, 10), {"low": low, "high": high}, low, season_s=300.0, issued=None)
    actual = np.array([[10.0], [12.0], [9.0], [9.0], [9.0]]).repeat(3, axis=1)
    assert scores(waiting, actual).peaks == {"low": pytest.approx(0.95 * 4), "high": pytest.approx(0.05 * 2)}


def test_a_season_that_is_not_known_throughout_is_not_scored(history: History) -> None:
    waiting = pending(past(history, 4), {}, np.ones((50, 5, 3)), season_s=300.0, issued=None)
    assert scores(waiting, np.ones((5, 3))).seasonal is None
