"""Regimes keep the figures they are calibrated to; mixes drift; correlation changes no distribution."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.simulator.lengths import REGIMES, correlated, mixed_lengths, mixture, regime_lengths

MANY = 60_000


def lengths(name: str, *, correlation: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return regime_lengths(rng, MANY, regime=REGIMES[name], correlation=correlation)


@pytest.mark.parametrize(
    ("name", "prompt", "output"),
    [
        ("chat", (1155, 1020, 4142), (211, 129, 601)),
        ("code", (2048, 1469, 7436), (27.9, 13, 251)),
        ("summarise", (2588, 2730, 3933), (291, 167, 3271)),
    ],
)
def test_a_calibrated_regime_has_its_published_mean_median_and_p99(
    name: str, prompt: tuple[float, ...], output: tuple[float, ...]
) -> None:
    """Azure 2023 and Vidur's arXiv lengths (papers.md 3.4); a mixture of two lognormals is within an eighth of them.

    Sampling adds less than 1 % to that: 60,000 draws, a standard deviation of about the mean.
    """
    for drawn, published in zip(lengths(name), (prompt, output), strict=True):
        found = (drawn.mean(), *np.percentile(drawn, [50, 99]))
        assert found == pytest.approx(published, rel=0.125)


@pytest.mark.parametrize("name", REGIMES)
def test_every_regime_says_where_it_comes_from_and_keeps_its_bounds(name: str) -> None:
    regime, (prompt, output) = REGIMES[name], lengths(name)
    assert regime.source.startswith(("Azure", "arXiv", "ours: "))
    assert sum(share for share, *_ in regime.prompt) == pytest.approx(1.0)
    assert sum(share for share, *_ in regime.output) == pytest.approx(1.0)
    assert min(prompt.min(), output.min()) >= 1
    assert prompt.max() <= regime.longest_prompt
    assert output.max() <= regime.longest_output


@pytest.mark.parametrize("correlation", [-0.8, 0.3, 0.9])
def test_ranks_correlate_as_a_gaussian_copula_of_that_correlation(correlation: float) -> None:
    """Spearman's rho of a Gaussian copula is 6/pi asin(r/2); its standard error is about 1/sqrt(n)."""
    prompt, output = lengths("chat", correlation=correlation)
    found = stats.spearmanr(prompt, output).statistic
    assert found == pytest.approx(6 / np.pi * np.arcsin(correlation / 2), abs=4 / np.sqrt(MANY) + 0.01)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=0, max_size=60),
    st.floats(min_value=-1, max_value=1),
)
def test_correlation_only_reorders(pairs: list[tuple[int, int]], correlation: float) -> None:
    prompt, output = (np.array([pair[i] for pair in pairs], dtype=np.int64) for i in (0, 1))
    found = correlated(np.random.default_rng(0), prompt, output, correlation=correlation)
    np.testing.assert_array_equal(np.sort(found), np.sort(output))
    if correlation == 0:
        np.testing.assert_array_equal(found, output)


@given(st.integers(min_value=0, max_value=10_000))
@settings(max_examples=25)
def test_mixed_lengths_are_tokens_and_the_same_for_a_seed(seed: int) -> None:
    late = np.linspace(0, 1, 50)
    first, again = (
        mixed_lengths(np.random.default_rng(seed), late, by_night={"code": 1.0}, by_day={"chat": 2, "rag": 1})
        for _ in range(2)
    )
    assert min(first[0].min(), first[1].min()) >= 1
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


@pytest.mark.parametrize(("late", "share"), [(0.0, 0.1), (0.5, 0.5), (1.0, 0.9)])
def test_shares_drift_in_a_straight_line_from_night_to_day(late: float, share: float) -> None:
    """Code answers are below 40 tokens and reasoning ones above, but for a few; so the mean tells the share."""
    mixed = mixed_lengths(
        np.random.default_rng(0),
        np.full(MANY, late),
        by_night={"reasoning": 1, "code": 9},
        by_day={"reasoning": 9, "code": 1},
    )[1]
    reasoning, code = (lengths(name)[1] for name in ("reasoning", "code"))
    expected = share * reasoning.mean() + (1 - share) * code.mean()
    assert mixed.mean() == pytest.approx(expected, abs=4 * 1.5 * reasoning.std() / np.sqrt(MANY))


def test_a_mixture_has_the_median_that_its_parts_say() -> None:
    reference = stats.lognorm(s=0.5, scale=100.0), stats.lognorm(s=0.1, scale=1000.0)
    drawn = mixture(np.random.default_rng(0), ((0.7, 100.0, 0.5), (0.3, 1000.0, 0.1)), MANY)
    for at in (60.0, 150.0, 900.0, 1100.0):
        expected = 0.7 * reference[0].cdf(at) + 0.3 * reference[1].cdf(at)
        assert (drawn < at).mean() == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(MANY))


@pytest.mark.data
@pytest.mark.skipif("FORETIDE_DATA" not in os.environ, reason="FORETIDE_DATA is not set: arXiv lengths were not read")
def test_summaries_are_as_long_as_those_of_arxiv_papers() -> None:
    published = pd.read_csv(Path(os.environ["FORETIDE_DATA"]) / "requests/lengths_arxiv_summarization.csv.gz")
    for drawn, column in zip(lengths("summarise"), ("prompt_tokens", "output_tokens"), strict=True):
        wanted = published[column].quantile([0.1, 0.25, 0.5, 0.75, 0.9, 0.95]).to_numpy()
        np.testing.assert_allclose(np.percentile(drawn, [10, 25, 50, 75, 90, 95]), wanted, rtol=0.1)
