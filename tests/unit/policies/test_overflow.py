"""Lengths that are unlike those of the week: what a forecaster is given of them, and what it is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foretide.policies.flow import DemandHistory, Trust, frozen
from foretide.policies.overflow import ACCEPT_S, FEWEST_ROWS, Usual, learned, screened, usual

STEP = 30.0
WEEK = 2000
"""Bins."""


def rows(count: int, *, output: float = 200.0, prompt: float = 1000.0, rate: float = 10.0, seed: int = 0) -> np.ndarray:
    """Bins of a steady traffic whose mean lengths vary by some percent."""
    noise = np.random.default_rng(seed).lognormal(0.0, 0.05, (count, 2))
    return rate * np.column_stack([np.ones(count), prompt * noise[:, 0], output * noise[:, 1]])


def history(*parts: np.ndarray) -> DemandHistory:
    return DemandHistory(0.0, STEP, frozen(np.concatenate(parts)), Trust.FRESH)


def known(*parts: np.ndarray) -> Usual:
    return learned(usual(), history(*parts))


def test_before_an_hour_was_seen_nothing_is_cut() -> None:
    short = history(rows(int(FEWEST_ROWS) // 2), rows(5, output=5000.0))
    assert screened(learned(usual(), short), short).history is short


def test_ordinary_demand_is_hardly_touched() -> None:
    seen = history(rows(WEEK))
    made = screened(known(rows(WEEK)), seen)
    assert made.odd == ""
    changed = (made.history.values != seen.values).any(axis=1)
    assert changed.mean() < 0.03
    np.testing.assert_allclose(made.history.values, seen.values, rtol=0.15)


def test_longer_answers_are_cut_at_the_weeks_99th_percentile_and_told() -> None:
    week, attack = rows(WEEK), rows(20, output=400.0, seed=1)
    made = screened(known(week), history(week, attack))
    lengths = made.history.values[-20:, 2] / made.history.values[-20:, 0]
    assert 200.0 < lengths.max() < 245.0
    np.testing.assert_array_equal(made.history.values[:, 0], history(week, attack).values[:, 0])
    assert made.odd.startswith("answers have ")
    assert "99 % of the last week had at most" in made.odd


def test_a_ratio_beyond_five_times_the_weeks_is_flagged_and_replaced_by_what_is_usual() -> None:
    week, attack = rows(WEEK), rows(20, output=3000.0, seed=1)
    made = screened(known(week), history(week, attack))
    np.testing.assert_allclose(made.history.values[-20:, 2] / made.history.values[-20:, 0], 200.0, rtol=0.06)
    assert "more than 5 times the " in made.odd


def test_longer_prompts_are_cut_and_told_too() -> None:
    week, attack = rows(WEEK), rows(20, prompt=3000.0)
    assert screened(known(week), history(week, attack)).odd.startswith("prompts have ")


def test_more_requests_are_no_longer_requests() -> None:
    week, crowd = rows(WEEK), rows(20, rate=500.0)
    made = screened(known(week), history(week, crowd))
    assert made.odd == ""
    assert made.history.values[-20:, 0].min() == 500.0


def test_an_attack_does_not_become_usual_within_an_hour_and_what_stays_does() -> None:
    week = rows(WEEK)
    for seconds, accepted in ((0.8 * ACCEPT_S, False), (5 * ACCEPT_S, True)):
        longer = rows(int(seconds / STEP), output=400.0, seed=2)
        made = screened(known(week, longer), history(week, longer))
        newest = made.history.values[-1, 2] / made.history.values[-1, 0]
        assert bool(newest > 300.0) is accepted, seconds


def test_bins_are_counted_once() -> None:
    week = history(rows(WEEK))
    once = learned(usual(), week)
    again = learned(once, week)
    assert again.rows == once.rows
    np.testing.assert_array_equal(again.counts, once.counts)


@given(
    arrays(np.float64, st.tuples(st.integers(0, 300), st.just(3)), elements=st.floats(0, 1e9) | st.just(np.nan)),
    st.integers(0, 3),
)
def test_whatever_was_measured_nothing_grows_and_gaps_stay(values: np.ndarray, seed: int) -> None:
    values[np.isnan(values).any(axis=1)] = np.nan
    found = history(rows(200, seed=seed), values)
    made = screened(learned(usual(), found), found).history
    np.testing.assert_array_equal(np.isnan(made.values), np.isnan(found.values))
    assert not (made.values > found.values * (1 + 1e-9)).any()
    assert not (made.values < 0).any()
    np.testing.assert_array_equal(made.values[:, 0], found.values[:, 0])


@pytest.mark.parametrize("rate", [0.0, 1e-300])
def test_idleness_has_no_lengths(rate: float) -> None:
    idle = np.full((300, 3), rate)
    assert screened(known(idle), history(idle)).odd == ""
