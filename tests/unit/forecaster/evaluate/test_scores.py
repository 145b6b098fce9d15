from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from foretide.forecaster.evaluate import scores


def normal(mean: float, sd: float, count: int) -> np.ndarray:
    """Paths (1, count, 1, 1) at the even quantiles of a normal distribution, so that no luck is in them."""
    return stats.norm(mean, sd).ppf((np.arange(count) + 0.5) / count).reshape(1, count, 1, 1)


def outcome(value: float) -> np.ndarray:
    return np.full((1, 1, 1), value)


@pytest.mark.parametrize(("mean", "sd", "seen"), [(0.0, 1.0, 0.3), (5.0, 2.0, 9.0), (-1.0, 0.5, -1.0)])
def test_crps_of_a_normal_is_its_closed_form(mean: float, sd: float, seen: float) -> None:
    z = (seen - mean) / sd
    closed = sd * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert scores.crps(paths=normal(mean, sd, 4000), actual=outcome(seen)).item() == pytest.approx(closed, rel=2e-3)


def test_crps_is_the_integral_of_the_squared_distance_of_distributions() -> None:
    draws = np.array([1.0, 2.0, 4.0, 4.5])
    points = np.sort(np.append(draws, 3.0))
    squared = sum(((draws <= left).mean() - (left >= 3.0)) ** 2 * (right - left) for left, right in pairwise(points))
    pairs = np.abs(draws[:, None] - draws).sum()
    unfair = pairs / 2 / 4**2 - pairs / 2 / (4 * 3)
    assert scores.crps(paths=draws.reshape(1, 4, 1, 1), actual=outcome(3.0)).item() == pytest.approx(squared + unfair)


def test_quantile_loss_of_even_levels_approaches_the_crps() -> None:
    paths, seen = normal(0.0, 1.0, 4000), outcome(0.7)
    levels = tuple(np.linspace(0.005, 0.995, 199).round(4).tolist())
    crps = scores.crps(paths=paths, actual=seen).item()
    assert scores.quantile_loss(paths=paths, actual=seen, levels=levels).item() == pytest.approx(crps, rel=0.01)


def test_the_true_distribution_covers_as_it_claims_and_has_even_pits() -> None:
    rng = np.random.default_rng(1)
    paths, seen = rng.standard_normal((3000, 200, 1, 1)), rng.standard_normal((3000, 1, 1))
    for level in scores.LEVELS:
        assert scores.covered(paths=paths, actual=seen, level=level).mean() == pytest.approx(level, abs=0.03)
    ranks = scores.pit(paths=paths, actual=seen, seed=1)
    assert stats.kstest(ranks.ravel(), "uniform").pvalue > 0.01
    assert scores.pit_deviation(ranks) < 0.02
    assert scores.pit_deviation(scores.pit(paths=paths + 2, actual=seen, seed=1)) > 0.3
    assert sum(scores.pit_histogram(ranks)) == pytest.approx(1.0)


def test_pits_of_counts_are_even_although_ties_are_many() -> None:
    rng = np.random.default_rng(2)
    paths, seen = rng.poisson(0.5, (3000, 200, 1, 1)), rng.poisson(0.5, (3000, 1, 1))
    ranks = scores.pit(paths=paths.astype(float), actual=seen.astype(float), seed=1)
    assert stats.kstest(ranks.ravel(), "uniform").pvalue > 0.01


def test_energy_of_one_dimension_is_the_crps() -> None:
    rng = np.random.default_rng(3)
    paths, seen = rng.standard_normal((50, 300, 1, 1)), rng.standard_normal((50, 1, 1))
    energy = scores.energy(paths=paths, actual=seen, seed=0, pairings=299)
    assert energy == pytest.approx(scores.crps(paths=paths, actual=seen).ravel(), abs=1e-12)


def test_energy_is_fair_so_that_few_paths_of_the_truth_score_like_many() -> None:
    rng = np.random.default_rng(4)
    few = scores.energy(paths=rng.standard_normal((4000, 9, 3, 2)), actual=rng.standard_normal((4000, 3, 2)), seed=0)
    many = scores.energy(paths=rng.standard_normal((500, 256, 3, 2)), actual=rng.standard_normal((500, 3, 2)), seed=0)
    assert few.mean() == pytest.approx(many.mean(), rel=0.03)


def test_variogram_is_zero_for_the_truth_and_sees_what_marginals_do_not() -> None:
    rng = np.random.default_rng(5)
    common = rng.standard_normal((200, 64, 1, 1)) + np.zeros((1, 1, 4, 1))
    seen = rng.standard_normal((200, 1, 1)) + np.zeros((1, 4, 1))
    assert scores.variogram(paths=common, actual=seen) == pytest.approx(np.zeros(200))
    assert scores.variogram(paths=rng.standard_normal((200, 64, 4, 1)), actual=seen).min() > 0.3


def test_variogram_is_the_definition() -> None:
    paths, seen = np.array([[[[0.0], [1.0]], [[0.0], [4.0]]]]), np.array([[[0.0], [9.0]]])
    assert scores.variogram(paths=paths, actual=seen).item() == pytest.approx((3.0 - (1.0 + 2.0) / 2) ** 2)


def test_crps_sum_scores_the_sum_of_indicators() -> None:
    rng = np.random.default_rng(6)
    paths, seen = rng.standard_normal((5, 64, 3, 2)), rng.standard_normal((5, 3, 2))
    summed = scores.crps(paths=paths.sum(axis=3)[..., None], actual=seen.sum(axis=2)[..., None])
    assert scores.crps_sum(paths=paths, actual=seen) == pytest.approx(summed[..., 0])


def test_a_missing_outcome_is_nan_in_every_score() -> None:
    paths, seen = np.ones((1, 8, 2, 1)), np.array([[[1.0], [np.nan]]])
    assert np.isnan(scores.crps(paths=paths, actual=seen)[0, 1, 0])
    assert np.isnan(scores.quantile_loss(paths=paths, actual=seen)[0, 1, 0])
    assert np.isnan(scores.covered(paths=paths, actual=seen, level=0.8)[0, 1, 0])
    assert np.isnan(scores.pit(paths=paths, actual=seen, seed=0)[0, 1, 0])
    assert np.isnan(scores.energy(paths=paths, actual=seen, seed=0)).all()


@given(st.integers(2, 40), st.integers(0, 2**16))
def test_fair_crps_does_not_reward_more_paths(count: int, seed: int) -> None:
    """Expectation E|X - y| - E|X - X'| / 2 of a uniform, whatever the number of paths."""
    rng = np.random.default_rng(seed)
    paths, seen = rng.random((1, count, 4000, 1)), rng.random((1, 4000, 1))
    expected, _ = integrate.quad(lambda y: (y**3 + (1 - y) ** 3) / 3, 0.0, 1.0)
    assert scores.crps(paths=paths, actual=seen).mean() == pytest.approx(expected, abs=0.02)


@given(st.integers(1, 9), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_quantiles_are_numpy_s(count: int, levels: list[float]) -> None:
    paths = np.random.default_rng(count).random((2, count, 3, 2))
    assert scores.quantiles(paths, levels) == pytest.approx(np.quantile(paths, levels, axis=1))
