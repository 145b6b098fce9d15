"""Ranks beyond a sample's ends, and their inverse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from foretide.forecaster.ranks import REACH, half_widths, sketch, values_at

SAMPLE = np.array([1.0, 2.0, 3.0, 4.0])


def test_a_sample_stands_at_hazens_plotting_positions() -> None:
    drawn = sketch(SAMPLE)
    np.testing.assert_allclose([drawn.rank(np.array(value)) for value in SAMPLE], [0.125, 0.375, 0.625, 0.875])
    assert drawn.rank(np.array(2.5)) == pytest.approx(0.5)


def test_beyond_the_ends_half_a_rank_is_the_distance_from_the_median() -> None:
    drawn = sketch(SAMPLE)
    assert drawn.rank(np.array(4.0 + 1.5)) == pytest.approx(0.875 + 0.5)
    assert drawn.rank(np.array(1.0 - 3.0)) == pytest.approx(0.125 - 1.0)
    assert drawn.rank(np.array(1e9)) == 1.0 + REACH
    assert drawn.rank(np.array(-1e9)) == -REACH


def test_a_missing_outcome_has_no_rank() -> None:
    assert np.isnan(sketch(SAMPLE).rank(np.array(np.nan)))


def test_an_outcome_among_equal_samples_is_placed_by_the_tie() -> None:
    drawn = sketch(np.array([0.0, 0.0, 0.0, 5.0]))
    assert drawn.rank(np.array(0.0), tie=0.0) == 0.0
    assert drawn.rank(np.array(0.0), tie=1.0) == 0.75
    assert drawn.rank(np.array(0.0), tie=0.5) == pytest.approx(0.375)


def test_a_sample_without_width_puts_every_other_outcome_farthest() -> None:
    drawn = sketch(np.full(8, 3.0))
    assert drawn.rank(np.array(3.1)) == 1.0 + REACH
    assert drawn.rank(np.array(2.9)) == -REACH
    assert 0.0 <= drawn.rank(np.array(3.0)) <= 1.0


def test_a_sample_of_denormal_width_puts_a_large_outcome_farthest() -> None:
    assert sketch(np.array([0.0, 0.0, 5e-324])).rank(np.array(1e3)) == 1.0 + REACH


def test_ranks_of_poisson_counts_are_uniform_once_ties_are_drawn() -> None:
    rng = np.random.default_rng(3)
    ranks = [
        float(sketch(rng.poisson(0.7, 200).astype(float)).rank(np.array(float(rng.poisson(0.7))), tie=rng.random()))
        for _ in range(800)
    ]
    assert kstest(np.clip(ranks, 0, 1), "uniform").pvalue > 0.01


def test_a_sketch_keeps_both_ends_and_the_quantiles() -> None:
    drawn = np.random.default_rng(1).normal(size=(400, 3))
    kept = sketch(drawn, kept=64)
    assert kept.values.shape == (64, 3)
    np.testing.assert_array_equal(kept.values[[0, -1]], [drawn.min(axis=0), drawn.max(axis=0)])
    expected = np.quantile(drawn, [0.1, 0.5, 0.9], axis=0, method="hazen")
    np.testing.assert_allclose(kept.rank(expected[1]), 0.5, atol=0.01)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.floats(-1.5, 2.5))
def test_values_and_ranks_are_inverse(seed: int, count: int, rank: float) -> None:
    ascending = np.sort(np.random.default_rng(seed).normal(size=count))
    value = values_at(ascending, np.array([rank]))[0]
    assert float(sketch(ascending).rank(np.asarray(value))) == pytest.approx(rank, abs=1e-6)


def test_inside_the_sample_values_are_hazens_quantiles() -> None:
    ascending = np.sort(np.random.default_rng(2).gamma(2.0, size=(50, 4)), axis=0)
    ranks = np.array([0.05, 0.31, 0.5, 0.97])
    np.testing.assert_allclose(
        values_at(ascending, ranks), np.quantile(ascending, ranks, axis=0, method="hazen"), rtol=1e-12
    )


def test_half_widths_are_never_less_than_a_tenth_of_one_another() -> None:
    up, down = half_widths(np.array([0.0, 0.0, 0.0, 8.0]))
    assert (up, down) == (8.0, pytest.approx(0.8))
