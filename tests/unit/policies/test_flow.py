"""What the words can do by themselves: a demand history on a coarser grid."""

import numpy as np
import pytest

from foretide.policies.flow import DemandHistory, Trust, frozen

NAN = float("nan")


def history(rates: list[float], *, start: float = 0.0, step: float = 30.0) -> DemandHistory:
    rate = np.array(rates)
    return DemandHistory(start, step, frozen(np.column_stack([rate, 10 * rate, rate / 2])), Trust.PARTIAL, "why")


def test_a_coarser_bin_is_the_mean_of_its_rows() -> None:
    seen = history([1.0, 3.0, 5.0, 7.0]).coarser(60.0)
    np.testing.assert_array_equal(seen.values, [[2.0, 20.0, 1.0], [6.0, 60.0, 3.0]])
    assert (seen.start, seen.step, seen.end, seen.trust, seen.why) == (0.0, 60.0, 120.0, Trust.PARTIAL, "why")


def test_a_missing_row_is_not_a_zero() -> None:
    seen = history([2.0, 4.0, NAN, 6.0, NAN, NAN, NAN, 8.0, 0.0, 0.0, 0.0, 0.0]).coarser(120.0)
    np.testing.assert_array_equal(seen.values[:, 0], [4.0, NAN, 0.0])


def test_how_much_must_be_measured_is_the_callers_choice() -> None:
    told = history([2.0, NAN, NAN, NAN])
    assert np.isnan(told.coarser(120.0).values).all()
    assert told.coarser(120.0, needed=0.25).values[0, 0] == 2.0
    assert np.isnan(history([NAN] * 4).coarser(120.0, needed=0.0).values).all()


def test_bins_are_aligned_and_whole() -> None:
    seen = history([9.0, 1.0, 3.0, 9.0], start=30.0).coarser(60.0)
    assert (seen.start, seen.end) == (60.0, 120.0)
    assert seen.values[0, 0] == 2.0


def test_total_demand_stays() -> None:
    fine = history(np.random.default_rng(1).gamma(2.0, size=240).tolist())
    for step in (60.0, 300.0, 600.0):
        coarse = fine.coarser(step)
        np.testing.assert_allclose(coarse.values.sum(axis=0) * step, fine.values.sum(axis=0) * fine.step)


@pytest.mark.parametrize("step", [15.0, 45.0, 0.0, -60.0])
def test_a_step_that_is_no_multiple_is_refused(step: float) -> None:
    with pytest.raises(ValueError, match=r"step: .* whole multiple of the history's own 30 s"):
        history([1.0] * 8).coarser(step)


def test_what_is_shorter_than_a_bin_is_no_row_at_all() -> None:
    assert history([1.0]).coarser(60.0).values.shape == (0, 3)
    assert history([]).coarser(60.0).values.shape == (0, 3)


def flagged(*flags: float, step: float = 60.0) -> DemandHistory:
    values = np.tile([2.0, 200.0, 20.0], (len(flags), 1))
    return DemandHistory(0.0, step, frozen(values), Trust.FRESH, censored=frozen(np.array(flags)), hidden="a queue")


def test_a_coarser_bin_is_censored_where_any_of_its_rows_is() -> None:
    coarse = flagged(0.0, 1.0, 0.0, 0.0, 1.0, 1.0).coarser(120.0)
    np.testing.assert_array_equal(coarse.flags, [1.0, 0.0, 1.0])
    assert coarse.hidden == "a queue"


def test_only_the_window_asked_about_decides_whether_it_is_censored() -> None:
    assert flagged(1.0, 0.0, 0.0).is_censored(180.0)
    assert not flagged(1.0, 0.0, 0.0).is_censored(120.0)


def test_a_history_without_flags_is_nowhere_censored() -> None:
    plain = DemandHistory(0.0, 60.0, frozen(np.zeros((3, 3))), Trust.FRESH)
    assert not plain.is_censored(600.0)
    np.testing.assert_array_equal(plain.flags, np.zeros(3))


def test_the_first_rows_keep_their_flags() -> None:
    first = flagged(1.0, 0.0, 1.0).first_rows(2)
    assert (len(first.values), first.end) == (2, 120.0)
    np.testing.assert_array_equal(first.flags, [1.0, 0.0])
