"""Lengths follow what users send within minutes, and stand still where only chance moves them."""

import numpy as np
from given import history
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.flow import DemandHistory, Trust, frozen
from foretide.policies.lengths import mean_lengths


def test_lengths_are_powers_of_two_near_the_measured_means() -> None:
    assert mean_lengths(history(2.0, 4.0)) == (1024, 256)
    assert mean_lengths(history(float("nan"))) is None


def lengths_over(*means: float, rate: float = 20.0) -> DemandHistory:
    """A minute each of answers with these mean lengths, after two days of 200 tokens."""
    outputs = np.array([200.0] * 2880 + list(means))
    values = np.column_stack([np.full(len(outputs), rate), np.full(len(outputs), 1000 * rate), outputs * rate])
    return DemandHistory(0.0, 60.0, frozen(values), Trust.FRESH)


def test_answers_that_become_three_times_as_long_are_seen_within_five_minutes() -> None:
    assert mean_lengths(lengths_over(), (1024, 256)) == (1024, 256)
    assert mean_lengths(lengths_over(600.0), (1024, 256)) == (1024, 256), "a minute may be chance"
    assert mean_lengths(lengths_over(*[600.0] * 5), (1024, 256)) == (1024, 512)


def test_few_requests_are_looked_at_over_longer() -> None:
    quiet = lengths_over(*[600.0] * 5, rate=0.05)
    assert mean_lengths(quiet, (1024, 256)) == (1024, 256)


@given(st.floats(1, 1e5), st.sampled_from([2**power for power in range(14)]))
def test_lengths_stay_while_they_are_near_and_are_never_far_off(mean: float, before: int) -> None:
    _, found = mean_lengths(lengths_over(*[mean] * 10), (1024, before)) or (0, 0)
    assert abs(np.log2(found) - np.log2(mean)) <= 0.75
    assert found == before or abs(np.log2(mean) - np.log2(before)) >= 0.75
