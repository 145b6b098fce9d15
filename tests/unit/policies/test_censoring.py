"""Which bins may hide demand, and what is said of it."""

from dataclasses import replace

import numpy as np

from foretide.policies.censoring import NOT_EXPOSED, Pressure, at_limit, censored, queued


def pressure(bins: int = 3, **changes: list[float]) -> Pressure:
    """Two engines that finish 100 requests a bin of a minute, without a queue, and show what they turn away."""
    nothing = np.zeros(bins)
    calm = Pressure(nothing, nothing, nothing + 100.0, nothing, nothing + 120.0, nothing, nothing)
    return replace(calm, **{name: np.array(values) for name, values in changes.items()})


def test_a_calm_fleet_hides_nothing() -> None:
    flags, why = censored(pressure())
    assert not flags.any()
    assert why == ""


def test_a_request_turned_away_marks_its_bin() -> None:
    flags, why = censored(pressure(rejected=[0.0, 2.0, 0.0]))
    np.testing.assert_array_equal(flags, [0.0, 1.0, 0.0])
    assert why == "requests were turned away"


def test_a_saturated_fleet_that_shows_rejections_hides_nothing() -> None:
    assert not censored(pressure(queued_s=[120.0, 120.0, 120.0]))[0].any()


def test_a_saturated_fleet_that_does_not_show_rejections_may_hide_demand() -> None:
    unseen = [120.0] * 3
    flags, why = censored(pressure(queued_s=[0.0, 59.0, 60.0], unseen_s=unseen))
    np.testing.assert_array_equal(flags, [0.0, 0.0, 1.0])
    assert NOT_EXPOSED in why
    assert "queues stand" in why


def test_one_engine_at_its_limit_is_enough_where_rejections_are_not_shown() -> None:
    np.testing.assert_array_equal(censored(pressure(full=[0.0, 1.0, 0.0], unseen_s=[120.0] * 3))[0], [0.0, 1.0, 0.0])


def test_that_rejections_are_not_shown_is_said_even_in_calm() -> None:
    assert censored(pressure(unseen_s=[120.0] * 3))[1] == NOT_EXPOSED


def test_clients_who_stop_reading_hide_nothing_unless_requests_queue() -> None:
    many = [20.0] * 3
    assert not censored(pressure(aborted=many))[0].any()
    flags, why = censored(pressure(aborted=many, queued_s=[0.0, 120.0, 0.0]))
    np.testing.assert_array_equal(flags, [0.0, 1.0, 0.0])
    assert "gave up" in why


def test_the_newest_reason_is_the_one_that_is_told() -> None:
    flags, why = censored(pressure(rejected=[1.0, 0.0, 0.0], aborted=[0.0, 0.0, 50.0], queued_s=[0.0, 0.0, 120.0]))
    np.testing.assert_array_equal(flags, [1.0, 0.0, 1.0])
    assert "gave up" in why


def test_what_was_not_measured_is_a_gap_and_not_censored() -> None:
    assert not censored(pressure(measured_s=[0.0] * 3, queued_s=[0.0] * 3))[0].any()


def test_a_queue_counts_where_something_waits_at_both_ends() -> None:
    np.testing.assert_array_equal(queued(np.array([0.0, 3.0, 1.0, 0.0])), [False, True, False])


def test_a_long_queue_that_stands_still_while_work_is_done_is_at_its_limit() -> None:
    waiting, finished = np.array([50.0, 50.0, 50.0, 49.0]), np.array([0.0, 5.0, 5.0, 9.0])
    np.testing.assert_array_equal(at_limit(waiting, finished), [True, False, False])
    assert not at_limit(np.array([9.0, 9.0]), np.array([0.0, 5.0])).any()
