"""Published cold starts come out of the generator again, scipy being the reference."""

import numpy as np
import pytest
from scipy.stats import kstest, lognorm, spearmanr, weibull_min

from foretide.simulator.serverless.bursts import BETWEEN_MEAN_S, BETWEEN_SD_S, PUBLISHED, Weibull, starts

BETWEEN = Weibull.of_moments(mean_s=BETWEEN_MEAN_S, sd_s=BETWEEN_SD_S)


def test_the_weibull_of_two_moments_is_the_one_of_scipy() -> None:
    mean, variance = weibull_min.stats(BETWEEN.shape, scale=BETWEEN.scale_s)
    assert (mean, np.sqrt(variance)) == pytest.approx((BETWEEN_MEAN_S, BETWEEN_SD_S))
    assert (BETWEEN.shape, BETWEEN.scale_s) == pytest.approx((0.418, 0.422), abs=2e-3)  # papers.md 1.6, derived


def test_starts_follow_both_published_laws() -> None:
    burst = starts(count=20_000, tier=PUBLISHED, between=BETWEEN, contention=0.0, seed=4)
    assert kstest(burst.took_s, lognorm(PUBLISHED.sigma, scale=PUBLISHED.median_s).cdf).pvalue > 0.01
    between = np.diff(burst.began_s)
    assert kstest(between, weibull_min(BETWEEN.shape, scale=BETWEEN.scale_s).cdf).pvalue > 0.01
    assert PUBLISHED.median_s == pytest.approx(1.35, abs=0.01)


def test_starts_that_crowd_take_longer() -> None:
    alone, crowded = (starts(count=20_000, tier=PUBLISHED, between=BETWEEN, contention=c, seed=4) for c in (0.0, 0.05))
    assert spearmanr(crowded.others, crowded.took_s).statistic > spearmanr(alone.others, alone.took_s).statistic + 0.05
    assert (crowded.took_s >= alone.took_s - 1e-9).all()


def test_how_many_are_under_way_is_counted() -> None:
    burst = starts(count=300, tier=PUBLISHED, between=BETWEEN, contention=0.2, seed=5)
    ends = burst.began_s + burst.took_s
    counted = [int(((burst.began_s[:i] <= at) & (ends[:i] > at)).sum()) for i, at in enumerate(burst.began_s)]
    assert burst.others.tolist() == counted
