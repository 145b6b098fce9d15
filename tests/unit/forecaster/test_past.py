"""What is measured, what is bridged, and what is not believed."""

from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.past import doubt, past_of, whole_blocks
from foretide.policies.flow import DemandHistory, Trust

History = Callable[..., DemandHistory]
NAN = float("nan")
VARIED = np.resize([3.0, 4.0, 5.0, 4.0], 60)


def test_a_gap_stays_a_gap_and_only_its_first_three_rows_are_bridged(history: History) -> None:
    past = past_of(history([5.0, NAN, NAN, NAN, NAN, 7.0]))
    np.testing.assert_array_equal(past.filled[:, 0], [5, 5, 5, 5, NAN, 7])
    np.testing.assert_array_equal(past.known[:, 0], [5, NAN, NAN, NAN, NAN, 7])
    assert past.count == 2


def test_nothing_is_filled_from_the_future(history: History) -> None:
    past = past_of(history([NAN, NAN, 5.0]))
    assert np.isnan(past.filled[:2]).all()


def test_a_zero_is_idleness_and_not_a_gap(history: History) -> None:
    past = past_of(history([5.0, 0.0, 0.0, 0.0, 0.0]))
    np.testing.assert_array_equal(past.filled[:, 0], [5, 0, 0, 0, 0])
    assert past.age == 0


@pytest.mark.parametrize("bad", [-1.0, np.inf, -np.inf, 1e12, 1e300])
def test_an_impossible_row_is_a_gap_in_all_indicators(history: History, bad: float) -> None:
    values = np.array(history(VARIED).values)
    values[30, 1] = bad
    past = past_of(DemandHistory(0.0, 60.0, values, Trust.FRESH))
    assert np.isnan(past.known[30]).all()
    assert past.count == 59


@pytest.mark.parametrize("run", [1, 2])
def test_a_lone_towering_value_is_a_broken_reading(history: History, run: int) -> None:
    rates = VARIED.copy()
    rates[40 : 40 + run] = 1e7
    past = past_of(history(rates))
    assert np.isnan(past.known[40 : 40 + run]).all()
    assert past.count == 60 - run


def test_a_towering_run_of_three_is_a_surge(history: History) -> None:
    rates = np.resize(VARIED, 600)
    rates[-3:] = 1e5
    past = past_of(history(rates))
    assert past.newest[0] == 1e5
    assert doubt(history(rates), past, needed=5) == ""


def test_an_earlier_past_is_what_it_was_then(history: History) -> None:
    whole = past_of(history([1.0, 2.0, NAN, 3.0]))
    then = whole.until(3)
    assert (then.end, then.age, then.newest[0]) == (180.0, 1, 2.0)


def test_whole_blocks_touch_no_gap() -> None:
    rows = np.array([1.0, 2.0, NAN, 4.0, 5.0, 6.0])[:, None]
    assert whole_blocks(rows, 2).tolist() == [0, 3, 4]
    assert whole_blocks(rows, 7).tolist() == []


def test_a_fresh_varied_history_is_not_doubted(history: History) -> None:
    told = history(VARIED)
    assert doubt(told, past_of(told), needed=5) == ""


@pytest.mark.parametrize(
    ("rates", "trust", "said"),
    [
        (VARIED, Trust.STALE, "metrics are Stale: scrape is old"),
        (VARIED, Trust.INVALID, "metrics are Invalid"),
        ([3.0, 4.0], Trust.FRESH, "2 measured bins of 60 s, 5 are needed"),
        ([*VARIED, NAN, NAN, NAN, NAN], Trust.FRESH, "newest measured bin is 240 s old"),
        ([*VARIED[:-8], *[NAN] * 7, 4.0], Trust.FRESH, "23% of the last 30 bins are missing"),
        ([*VARIED, -4.0, 4.0], Trust.FRESH, "impossible values in the last 30 bins"),
        ([*VARIED, 1e12, 4.0], Trust.FRESH, "impossible values in the last 30 bins"),
        ([0.0] * 60, Trust.FRESH, "no demand was ever measured"),
        ([4.5] * 60, Trust.FRESH, "every measured bin is exactly 4.5 requests/s"),
    ],
)
def test_each_doubt_is_said_in_words(history: History, rates: list[float], trust: Trust, said: str) -> None:
    told = history(rates, trust=trust, why="scrape is old" if trust is Trust.STALE else "")
    assert said in doubt(told, past_of(told), needed=5)


def test_partial_measurements_still_carry_a_model(history: History) -> None:
    told = history(VARIED, trust=Trust.PARTIAL)
    assert doubt(told, past_of(told), needed=5) == ""
