import numpy as np
import pytest
from statsmodels.api import OLS

from foretide.forecaster.evaluate import relative


def test_a_ratio_of_two_and_a_ratio_of_a_half_are_no_difference() -> None:
    assert relative.geometric_mean([2.0, 0.5]) == pytest.approx(1.0)
    assert relative.geometric_mean([2.0, 0.5, np.nan, 0.0]) == pytest.approx(1.0)
    assert np.isnan(relative.geometric_mean([]))


def test_ratios_leave_out_series_that_the_reference_lacks_or_scores_zero_on() -> None:
    assert relative.ratios(scores={"a": 2.0, "b": 3.0, "c": 1.0}, reference={"a": 4.0, "c": 0.0}) == [0.5]


def test_the_best_rule_is_chosen_for_each_series() -> None:
    table = {"x": {"a": 1.0, "b": 5.0}, "y": {"a": 2.0, "b": 3.0}, "z": {"a": 0.1}}
    assert relative.best_of(table, ["x", "y"]) == {"a": ("x", 1.0), "b": ("y", 3.0)}


def test_diebold_mariano_is_the_regression_on_a_constant_with_newey_west_errors() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(401)
    one = 1.0 + noise[1:] + 0.6 * noise[:-1]
    other = 1.2 + 0.3 * rng.standard_normal(400)
    lags, count = 9, 400
    fit = OLS(one - other, np.ones(count)).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "kernel": "bartlett"})
    ahead = lags + 1
    factor = np.sqrt((count + 1 - 2 * ahead + ahead * (ahead - 1) / count) / count)
    statistic, _ = relative.diebold_mariano(losses=one, other=other, lags=lags)
    assert statistic == pytest.approx(fit.tvalues[0] * factor, rel=1e-9)


def test_equal_losses_are_rejected_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(2)
    pairs = [(rng.standard_normal(200), rng.standard_normal(200)) for _ in range(400)]
    rejected = [relative.diebold_mariano(losses=one, other=other, lags=1)[1] < 0.05 for one, other in pairs]
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.035)


def test_the_same_losses_are_no_evidence() -> None:
    assert relative.diebold_mariano(losses=np.ones(50), other=np.ones(50), lags=3) == (0.0, 1.0)


def test_intervals_hold_the_true_ratio_where_losses_depend_on_their_neighbours() -> None:
    rng, held = np.random.default_rng(3), 0
    at = np.arange(600) * 3600.0
    for _ in range(60):
        days = np.exp(0.4 * rng.standard_normal(25)).repeat(24)
        one, other = days * (0.8 + 0.1 * rng.standard_normal(600)), days * (1.0 + 0.1 * rng.standard_normal(600))
        found = relative.bootstrap(losses=[one], reference=[other], at_s=[at], seed=1)
        held += found.low <= 0.8 <= found.high
        assert found.low <= found.ratio <= found.high
    assert held >= 50


def test_blocks_are_days_or_a_tenth_of_what_is_scored() -> None:
    assert len(np.unique(relative.blocks_of(np.arange(20 * 24) * 3600.0))) == 20
    assert len(np.unique(relative.blocks_of(np.arange(100) * 60.0))) in {10, 11}
    assert len(relative.blocks_of(np.empty(0))) == 0
