"""Scores against closed forms, brute force and sums done by hand."""

import numpy as np
import pytest
from scipy.stats import norm

from foretide.forecaster.scoring import covered, crps, pinball


def gaussian_crps(actual: float, mean: float, sd: float) -> float:
    """Closed form (Gneiting and Raftery 2007, equation 21)."""
    z = (actual - mean) / sd
    return float(sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi)))


@pytest.mark.parametrize("actual", [-3.0, 0.0, 2.0, 7.5])
def test_crps_of_many_gaussian_samples_is_the_closed_form(actual: float) -> None:
    count = 20_001
    samples = 2.0 + 1.5 * norm.ppf((np.arange(count) + 0.5) / count)
    scored = crps(samples[:, None], np.array([actual]))[0]
    assert scored == pytest.approx(gaussian_crps(actual, 2.0, 1.5), abs=1e-3)


def test_crps_equals_the_mean_over_all_pairs() -> None:
    rng = np.random.default_rng(3)
    samples, actual = rng.gamma(2.0, 3.0, size=(17, 5)), rng.gamma(2.0, 3.0, size=5)
    pairs = np.abs(samples[:, None] - samples[None, :]).sum(axis=(0, 1)) / (17 * 16)
    expected = np.abs(samples - actual).mean(axis=0) - pairs / 2
    np.testing.assert_allclose(crps(samples, actual), expected, rtol=1e-12)


def test_few_samples_score_the_same_on_average_as_many() -> None:
    samples = np.random.default_rng(4).normal(2.0, 1.5, size=(4, 40_000))
    scored = crps(samples, np.full(40_000, 3.0)).mean()
    assert scored == pytest.approx(gaussian_crps(3.0, 2.0, 1.5), abs=0.01)


def test_one_sample_scores_its_absolute_error() -> None:
    np.testing.assert_allclose(crps(np.array([[3.0, 5.0]]), np.array([1.0, 9.0])), [2.0, 4.0])


def test_a_missing_outcome_is_no_score() -> None:
    samples, actual = np.ones((6, 2)), np.array([np.nan, 1.0])
    assert np.isnan(crps(samples, actual)).tolist() == [True, False]
    assert np.isnan(covered(samples, actual, level=0.8)).tolist() == [True, False]
    assert np.isnan(pinball(samples, actual, quantile=0.9)).tolist() == [True, False]


def test_crps_has_the_unit_of_demand() -> None:
    rng = np.random.default_rng(5)
    samples, actual = rng.normal(size=(30, 4)), rng.normal(size=4)
    np.testing.assert_allclose(crps(1000 * samples, 1000 * actual), 1000 * crps(samples, actual), rtol=1e-9)


def test_pinball_charges_the_short_side_more() -> None:
    samples = np.full((5, 2), 10.0)
    np.testing.assert_allclose(pinball(samples, np.array([14.0, 6.0]), quantile=0.9), [3.6, 0.4])


def test_coverage_counts_outcomes_between_the_quantiles() -> None:
    samples = np.arange(101.0)[:, None] * np.ones(3)
    np.testing.assert_array_equal(covered(samples, np.array([9.0, 50.0, 91.0]), level=0.8), [0.0, 1.0, 0.0])
