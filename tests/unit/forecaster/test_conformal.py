"""Conformal control of the peak: its bound holds whatever the outcomes, and the stretch does what it says."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.forecaster.conformal import LIMIT, PEAK_TARGETS, AdaptiveStretch, error_bound, peaks, stretched

WORK = np.array([1.0, 0.2, 0.5])


def played(scores: Sequence[float], *, gain: float, target: float, delay: int = 0, spite: bool = False) -> float:
    """Share of outcomes beyond a quantile that is the stretch itself: an outcome lies beyond where its score does.

    Each is known `delay` forecasts late. Spite puts each just on this or that side of the stretch.
    """
    control, waiting, errors = AdaptiveStretch((target,), gain=gain), [], []
    for score in scores:
        logs = control.logs
        outcome = logs[0] + (1e-9 if score > 0 else -1e-9) if spite else score
        rank = np.array([(1.0 if target > 0.5 else 0.0) if outcome > logs[0] else 0.5])
        beyond = control.beyond(rank, logs=logs)[0]
        errors.append(beyond[0])
        waiting.append(beyond)
        if len(waiting) > delay:
            control.add(waiting.pop(0))
    return float(np.mean(errors))


def test_the_bound_is_gibbs_and_candes_with_the_limit_as_its_range() -> None:
    """Their lemma 4.1 is for a level that starts at alpha_1 in [0, 1]: max(alpha_1, 1 - alpha_1) is its range."""
    alpha_1, gain, count = 0.1, 0.01, 500
    expected = (max(alpha_1, 1 - alpha_1) + gain) / (gain * count)
    assert error_bound(gain=gain, count=count, limit=max(alpha_1, 1 - alpha_1)) == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(
    scores=st.lists(st.floats(-9.0, 9.0), min_size=50, max_size=300),
    gain=st.sampled_from([0.02, 0.1, 0.5, 3.0]),
    target=st.sampled_from([0.025, 0.1, 0.8, 0.95, 0.99]),
    delay=st.integers(0, 20),
    spite=st.booleans(),
)
def test_no_sequence_of_outcomes_breaks_the_bound(
    scores: list[float], gain: float, target: float, delay: int, *, spite: bool
) -> None:
    share = played(scores, gain=gain, target=target, delay=delay, spite=spite)
    assert abs(share - min(target, 1 - target)) <= error_bound(gain=gain, count=len(scores), delay=delay) + 1e-9


@pytest.mark.parametrize("world", ["far beyond", "never beyond", "alternating", "growing", "bursts"])
@pytest.mark.parametrize("delay", [0, 10])
def test_the_target_is_held_in_the_long_run_under_any_drift(world: str, delay: int) -> None:
    at = np.arange(10_000)
    scores = {
        "far beyond": np.full(len(at), 99.0),
        "never beyond": np.full(len(at), -99.0),
        "alternating": np.where(at // 500 % 2, 1.4, -0.5),
        "growing": at / len(at) * 4,
        "bursts": np.where(at % 200 < 15, 2.8, np.random.default_rng(0).normal(size=len(at))),
    }[world]
    share = played(scores.tolist(), gain=0.1, target=0.95, delay=delay)
    assert abs(share - 0.05) <= error_bound(gain=0.1, count=len(at), delay=delay) <= 0.01


def test_right_forecasts_are_hardly_stretched() -> None:
    control, seen = AdaptiveStretch(PEAK_TARGETS, gain=0.02), []
    rng = np.random.default_rng(4)
    for _ in range(4000):
        # An outcome that is normal around the median, ranked by normal forecasts that are stretched by the control.
        outcome = rng.normal()
        outside = outcome > np.exp(control.logs) * np.array([0.8416, 1.6449, 2.3263])
        control.add(outside.astype(float))
        seen.append(control.logs)
    np.testing.assert_allclose(np.mean(seen[1000:], axis=0), 0.0, atol=0.1)


def test_a_lower_quantile_is_beyond_below_and_an_upper_one_above() -> None:
    low, high = AdaptiveStretch((0.025, 0.1)), AdaptiveStretch((0.9, 0.975))
    ranks = np.array([0.05, 0.95])
    np.testing.assert_array_equal(low.beyond(ranks, logs=low.logs), [[0, 1], [0, 0]])
    np.testing.assert_array_equal(high.beyond(ranks, logs=high.logs), [[0, 0], [1, 0]])


def test_past_the_limits_the_answer_is_certain() -> None:
    control = AdaptiveStretch((0.95,))
    assert control.beyond(np.array([1.0]), logs=np.array([LIMIT + 0.1]))[0, 0] == 0
    assert control.beyond(np.array([0.1]), logs=np.array([-LIMIT - 0.1]))[0, 0] == 1


def test_without_errors_seen_nothing_is_stretched() -> None:
    paths = np.random.default_rng(1).gamma(4.0, size=(256, 8, 3))
    np.testing.assert_allclose(stretched(paths, WORK, control=AdaptiveStretch(PEAK_TARGETS)), paths, rtol=1e-12)


@pytest.mark.parametrize("factor", [0.5, 1.3, 3.0])
def test_the_peaks_distance_above_the_median_is_stretched_and_nothing_below_it(factor: float) -> None:
    paths, control = np.random.default_rng(1).gamma(4.0, size=(256, 8, 3)), AdaptiveStretch(PEAK_TARGETS)
    control.logs = np.full(3, np.log(factor))
    before, after = peaks(paths, WORK), peaks(stretched(paths, WORK, control=control), WORK)
    middle = np.median(before)
    expected = np.where(before > middle, middle + factor * (before - middle), before)
    np.testing.assert_allclose(after, expected, rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(logs=st.lists(st.floats(-9.0, 9.0), min_size=3, max_size=3), seed=st.integers(0, 1000))
def test_a_stretch_keeps_the_order_of_peaks_and_stays_finite(logs: list[float], seed: int) -> None:
    paths, control = np.random.default_rng(seed).gamma(0.5, size=(64, 5, 3)), AdaptiveStretch(PEAK_TARGETS)
    control.logs = np.array(logs)
    moved = stretched(paths, WORK, control=control)
    order = np.argsort(peaks(paths, WORK), kind="stable")
    assert np.isfinite(moved).all()
    assert moved.min() >= 0
    ordered = peaks(moved, WORK)[order]
    assert (np.diff(ordered) >= -1e-9 * ordered[-1]).all()


def test_paths_without_any_spread_are_left_alone() -> None:
    control = AdaptiveStretch(PEAK_TARGETS)
    control.logs = np.full(3, 2.0)
    for value in (0.0, 7.0):
        flat = np.full((32, 5, 3), value)
        np.testing.assert_array_equal(stretched(flat, WORK, control=control), flat)
