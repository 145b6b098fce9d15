"""Requests made from recorded demand: as many as were counted, with the lengths' means, in their bins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.flow import DemandHistory, Trust, frozen
from foretide.simulator.reconstruct import bridged, reconstructed

NAN = float("nan")


def history(*rates: float) -> DemandHistory:
    values = np.array([[rate, 1000 * rate, 200 * rate] for rate in rates])
    return DemandHistory(0.0, 30.0, frozen(values), Trust.FRESH)


def test_gaps_are_bridged_by_straight_lines_and_counted() -> None:
    whole = bridged(history(NAN, 0.0, 4.0, NAN, NAN, 10.0, NAN))
    assert whole.first == 2
    np.testing.assert_allclose(whole.rows[:, 0], [4.0, 6.0, 8.0, 10.0])
    assert whole.share == pytest.approx(0.5)


def test_a_recording_without_any_request_is_refused() -> None:
    for rates in ((NAN, NAN), (0.0, 0.0), ()):
        with pytest.raises(ValueError, match="no request was measured"):
            bridged(history(*rates) if rates else DemandHistory(0.0, 30.0, frozen(np.empty((0, 3))), Trust.FRESH))


def test_requests_come_in_their_bins_as_often_as_they_were_counted() -> None:
    rows = history(2.0, 0.0, 7.0).values
    trace = reconstructed(rows, step=30.0, longest=100_000, seed=1)
    assert np.bincount((trace.arrival_s // 30).astype(int), minlength=3).tolist() == [60, 0, 210]
    assert (np.diff(trace.arrival_s) >= 0).all()


def test_lengths_keep_the_means_of_their_bin() -> None:
    long, short = np.array([400.0, 400.0 * 2000, 400.0 * 100]), np.array([400.0, 400.0 * 500, 400.0 * 300])
    trace = reconstructed(np.array([long, short]), step=30.0, longest=100_000, seed=2)
    first = trace.arrival_s < 30
    # The longest sixteenfold is cut off, which takes a little of a lognormal's mean away.
    np.testing.assert_allclose(
        [trace.prompt_tokens[first].mean(), trace.output_tokens[first].mean()], [2000, 100], rtol=0.05
    )
    np.testing.assert_allclose(
        [trace.prompt_tokens[~first].mean(), trace.output_tokens[~first].mean()], [500, 300], rtol=0.05
    )


@given(
    rates=st.lists(st.floats(0.0, 50.0), min_size=1, max_size=20),
    longest=st.integers(2, 5000),
    seed=st.integers(0, 2**32 - 1),
)
def test_whatever_was_recorded_every_request_fits_and_no_count_is_lost(
    rates: list[float], longest: int, seed: int
) -> None:
    rows = history(*rates).values
    trace = reconstructed(rows, step=30.0, longest=longest, seed=seed)
    assert abs(len(trace) - rows[:, 0].sum() * 30) <= len(rates)
    assert (trace.prompt_tokens >= 1).all()
    assert (trace.output_tokens >= 1).all()
    assert (trace.prompt_tokens + trace.output_tokens <= longest).all()
