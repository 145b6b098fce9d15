"""The rank remap: identity until something matured, right when it has, and the paths keep their order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr

from foretide.forecaster.calibration import DOUBT, Remap, groups
from foretide.forecaster.ranks import sketch
from foretide.policies.flow import Floats


def drawn(rng: np.random.Generator, *, horizon: int = 6, spread: float = 1.0, shift: float = 0.0) -> Floats:
    """Paths (256, horizon, 2) that wander, of this spread around 100."""
    steps = rng.normal(size=(256, horizon, 2)).cumsum(axis=1) / np.sqrt(np.arange(1, horizon + 1))[:, None]
    return np.asarray(100 + shift + spread * steps)


FULL = 0.8


def taught(*, spread: float, shift: float = 0.0, origins: int = 300, trusted: float = FULL, gain: float = 0.0) -> Remap:
    """A remap that saw forecasts of this spread and shift, while outcomes had spread 1 around 100.

    A gain of 0 leaves the stretches out: then the remap is that of the ranks alone.
    """
    rng, remap = np.random.default_rng(0), Remap(trusted=trusted)
    for _ in range(origins):
        teach(remap, drawn(rng, spread=spread, shift=shift), drawn(rng)[0], gain=gain)
    return remap


def teach(remap: Remap, pooled: Floats, actual: Floats, *, gain: float = 0.0) -> None:
    served = remap.applied(pooled) if gain else pooled
    remap.add(pooled=sketch(pooled).rank(actual), served=sketch(served).rank(actual), gain=gain)


def test_groups_double_and_cover_the_horizon() -> None:
    assert groups(1) == [(0, slice(0, 1))]
    assert groups(10) == [(0, slice(0, 1)), (1, slice(1, 3)), (2, slice(3, 7)), (3, slice(7, 10))]


def test_before_anything_matured_nothing_is_moved() -> None:
    paths = drawn(np.random.default_rng(1))
    np.testing.assert_array_equal(Remap().applied(paths), paths)


def test_right_forecasts_are_hardly_moved() -> None:
    paths = drawn(np.random.default_rng(1))
    assert np.abs(taught(spread=1.0).applied(paths) - paths).mean() < 0.1


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_the_spread_of_wrong_forecasts_is_mended_as_far_as_the_map_is_trusted(spread: float) -> None:
    paths = drawn(np.random.default_rng(1), spread=spread)
    moved = taught(spread=spread).applied(paths)
    weight = FULL * 300 / (300 + DOUBT)
    right = norm.ppf(0.9)
    # What is right at rank p of the raw paths lies at rank F(G^-1(p)); the remap goes `weight` of the way in rank.
    rank = 0.9 + weight * (norm.cdf(right / spread) - 0.9)
    expected = 100 + spread * norm.ppf(rank)
    np.testing.assert_allclose(np.quantile(moved, 0.9, axis=0), expected, atol=0.35)
    assert abs(moved.std() - 1.0) < abs(paths.std() - 1.0) / 2


def test_a_shift_is_mended() -> None:
    paths = drawn(np.random.default_rng(1), shift=3.0)
    weight = FULL * 300 / (300 + DOUBT)
    expected = 103 + norm.ppf(0.5 + weight * (norm.cdf(-3.0) - 0.5))
    assert np.median(taught(spread=1.0, shift=3.0).applied(paths)) == pytest.approx(expected, abs=0.2)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 4.0), st.floats(-3.0, 3.0), st.integers(1, 12))
def test_the_order_of_paths_stays_at_every_step(spread: float, shift: float, horizon: int) -> None:
    paths = drawn(np.random.default_rng(5), horizon=horizon)
    moved = taught(spread=spread, shift=shift, origins=40).applied(paths)
    order = np.argsort(paths, axis=0, kind="stable")
    assert (np.diff(np.take_along_axis(moved, order, axis=0), axis=0) >= -1e-9).all()


def test_dependence_over_time_stays() -> None:
    paths = drawn(np.random.default_rng(1), spread=2.0)
    moved = taught(spread=2.0).applied(paths)
    before, after = (spearmanr(each[:, 2, 0], each[:, 4, 0]).statistic for each in (paths, moved))
    assert after == pytest.approx(before, abs=1e-9)


def test_only_the_newest_are_remembered() -> None:
    remap = taught(spread=1.0, shift=5.0, origins=300)
    rng = np.random.default_rng(9)
    for _ in range(300):
        teach(remap, drawn(rng), drawn(rng)[0])
    paths = drawn(np.random.default_rng(1))
    assert np.abs(remap.applied(paths) - paths).mean() < 0.1


def test_forgetting_brings_the_map_back_towards_the_identity() -> None:
    paths, remap = drawn(np.random.default_rng(1), shift=5.0), taught(spread=1.0, shift=5.0)
    bold = np.abs(remap.applied(paths) - paths).mean()
    remap.forget(keep=5)
    shy = np.abs(remap.applied(paths) - paths).mean()
    assert 0 < shy < bold / 2


def test_missing_outcomes_teach_nothing() -> None:
    remap, paths = Remap(), drawn(np.random.default_rng(1))
    nothing = np.full((6, 2), np.nan)
    remap.add(pooled=nothing, served=nothing, gain=0.1)
    np.testing.assert_array_equal(remap.applied(paths), paths)
    first = np.where(np.arange(6)[:, None] < 1, 0.99, np.nan) * np.ones((6, 2))
    remap.add(pooled=first, served=first, gain=0.1)
    moved = remap.applied(paths)
    np.testing.assert_array_equal(moved[:, 1:], paths[:, 1:])
    assert (moved[:, 0] != paths[:, 0]).any()


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_served_quantiles_come_to_cover_as_they_claim(spread: float) -> None:
    remap = taught(spread=spread, trusted=0.2, gain=0.1, origins=250)
    paths = remap.applied(drawn(np.random.default_rng(1), spread=spread))
    for level in (0.1, 0.9, 0.975):
        at = 100 + norm.ppf(level)
        assert np.quantile(paths, level, axis=0).mean() == pytest.approx(at, abs=0.35)
