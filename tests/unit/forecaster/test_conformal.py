"""Conformal control of the peak: its bound holds whatever the outcomes, and the stretch does what it says."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.forecaster.conformal import TARGET, AdaptiveLevel, error_bound, peaks, stretched
from foretide.forecaster.ranks import REACH

ONE = np.array([1.0, 0.0, 0.0])


def played(
    ranks: Sequence[float], *, gain: float, target: float = TARGET, delay: int = 0, spite: bool = False
) -> float:
    """Share of outcomes above the level, each known `delay` forecasts late. Spite puts each just beside the level."""
    control, waiting, errors = AdaptiveLevel(target=target, gain=gain, level=target), [], []
    for rank in ranks:
        level = control.level
        outcome = (level + 1e-9 if rank > 0.5 else level - 1e-9) if spite else rank
        exceeded = control.exceeded_by(float(np.clip(outcome, -REACH, 1 + REACH)), level=level)
        errors.append(exceeded)
        waiting.append(exceeded)
        if len(waiting) > delay:
            control.add(exceeded=waiting.pop(0))
    return float(np.mean(errors))


def test_without_delay_and_reach_the_bound_is_that_of_gibbs_and_candes() -> None:
    target, gain, count = 0.9, 0.01, 500
    expected = (max(target, 1 - target) + gain) / (gain * count)
    assert error_bound(target=target, gain=gain, count=count, reach=0.0) == pytest.approx(expected)


@settings(max_examples=120, deadline=None)
@given(
    ranks=st.lists(st.floats(-3.0, 4.0), min_size=200, max_size=600),
    gain=st.sampled_from([0.005, 0.02, 0.1, 0.5]),
    target=st.sampled_from([0.5, 0.8, 0.95, 0.99]),
    delay=st.integers(0, 30),
    spite=st.booleans(),
)
def test_no_sequence_of_outcomes_breaks_the_bound(
    ranks: list[float], gain: float, target: float, delay: int, *, spite: bool
) -> None:
    share = played(ranks, gain=gain, target=target, delay=delay, spite=spite)
    bound = error_bound(target=target, gain=gain, count=len(ranks), delay=delay)
    assert abs(share - (1 - target)) <= bound + 1e-9


@pytest.mark.parametrize("world", ["far above", "far below", "alternating", "growing", "bursts"])
@pytest.mark.parametrize("delay", [0, 10])
def test_the_target_is_held_in_the_long_run_under_any_drift(world: str, delay: int) -> None:
    at = np.arange(20_000)
    ranks = {
        "far above": np.full(len(at), 9.0),
        "far below": np.full(len(at), -9.0),
        "alternating": np.where(at // 500 % 2, 1.4, 0.1),
        "growing": at / len(at) * 2,
        "bursts": np.where(at % 200 < 15, 1.8, np.random.default_rng(0).random(len(at))),
    }[world]
    share = played(ranks.tolist(), gain=0.02, delay=delay)
    assert abs(share - 0.05) <= error_bound(target=TARGET, gain=0.02, count=len(at), delay=delay) <= 0.01


def test_right_forecasts_keep_the_level_near_its_target() -> None:
    control = AdaptiveLevel()
    levels = []
    for rank in np.random.default_rng(4).random(4000):
        control.add(exceeded=control.exceeded_by(float(rank), level=control.level))
        levels.append(control.level)
    assert np.mean(levels[500:]) == pytest.approx(TARGET, abs=0.02)


def test_at_its_target_the_level_moves_nothing() -> None:
    paths = np.random.default_rng(1).gamma(4.0, size=(256, 8, 3))
    np.testing.assert_allclose(stretched(paths, ONE, target=TARGET, level=TARGET), paths, rtol=1e-12)


@pytest.mark.parametrize("level", [0.7, 0.9, 0.99, 1.3])
def test_the_peaks_quantile_becomes_what_the_level_was(level: float) -> None:
    paths, work = np.random.default_rng(1).gamma(4.0, size=(256, 8, 3)), np.array([1.0, 0.2, 0.5])
    before = np.sort(peaks(paths, work))
    after = np.sort(peaks(stretched(paths, work, target=TARGET, level=level), work))
    if level < 1:
        expected = np.quantile(before, level, method="hazen")
    else:
        expected = before[-1] + 2 * (level - 1 + 0.5 / 256) * (before[-1] - np.median(before))
    assert np.quantile(after, TARGET, method="hazen") == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(after[:128], before[:128])


@settings(max_examples=60, deadline=None)
@given(level=st.floats(-3.0, 5.0), seed=st.integers(0, 1000))
def test_a_stretch_keeps_the_order_of_peaks_and_stays_finite(level: float, seed: int) -> None:
    paths = np.random.default_rng(seed).gamma(0.5, size=(64, 5, 3))
    moved = stretched(paths, ONE, target=TARGET, level=level)
    order = np.argsort(peaks(paths, ONE), kind="stable")
    assert np.isfinite(moved).all()
    assert moved.min() >= 0
    assert (np.diff(peaks(moved, ONE)[order]) >= -1e-9).all()


def test_paths_without_any_spread_are_left_alone() -> None:
    for value in (0.0, 7.0):
        flat = np.full((32, 5, 3), value)
        np.testing.assert_array_equal(stretched(flat, ONE, target=TARGET, level=1.4), flat)
