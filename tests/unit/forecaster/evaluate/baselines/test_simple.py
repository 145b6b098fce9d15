from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from foretide.forecaster.evaluate.baselines.simple import SIMPLE, Rule, last_72, last_plus, naive
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

Made = Callable[..., Series]
RULES = {rule.name: rule for rule in SIMPLE}


def paths(name: str, series: Series, *, origin: int, horizon: int = 4, count: int = 400) -> Floats:
    fitted = RULES[name].fit(series=series, rows=origin, horizon=horizon, context=24, seed=0)
    origins: Indices = np.array([origin], dtype=np.int64)
    return fitted.paths(series=series, origins=origins, horizon=horizon, count=count, seed=1)[0]


def of(values: Floats, *, step_s: float = 3600.0) -> Series:
    return Series("web", 0.0, step_s, ("a",), np.asarray(values, dtype=np.float64).reshape(-1, 1))


def test_naive_is_a_random_walk_with_the_spread_of_its_steps() -> None:
    rng = np.random.default_rng(1)
    rows = 1000 + np.cumsum(rng.standard_normal((900, 1)) * 2.0, axis=0)
    drawn = naive(rows, 9, 6000, rng)
    assert drawn.mean(axis=0).ravel() == pytest.approx(np.full(9, rows[-1, 0]), abs=0.4)
    assert drawn.std(axis=0).ravel() == pytest.approx(2.0 * np.sqrt(np.arange(1, 10)), rel=0.08)


def test_naive_moves_indicators_together_as_they_did() -> None:
    rng = np.random.default_rng(2)
    steps = rng.multivariate_normal([0, 0], [[1.0, 0.8], [0.8, 1.0]], 2000)
    drawn = naive(np.cumsum(steps, axis=0), 1, 4000, rng)[:, 0]
    assert stats.pearsonr(drawn[:, 0], drawn[:, 1]).statistic == pytest.approx(0.8, abs=0.05)


def test_seasonal_naive_repeats_the_last_day_and_week() -> None:
    day = np.arange(24.0) + 1
    week = np.concatenate([day * factor for factor in (1, 2, 3, 4, 5, 6, 7)])
    assert paths("seasonal-naive", of(np.tile(day, 5)), origin=100).mean(axis=0).ravel().tolist() == [5, 6, 7, 8]
    drawn = paths("seasonal-naive-week", of(np.tile(week, 3)), origin=2 * 168 + 24).mean(axis=0).ravel()
    assert drawn.tolist() == [2, 4, 6, 8]


def test_seasonal_intervals_grow_by_the_season() -> None:
    rng = np.random.default_rng(3)
    drawn = paths("seasonal-naive", of(500 + rng.standard_normal(2000)), origin=2000, horizon=48, count=6000)
    assert drawn[:, :24].std() == pytest.approx(np.sqrt(1.0 + 2.0), rel=0.12)  # last season's noise and the error
    spread = drawn.std(axis=0).ravel()
    assert spread[24:].mean() / spread[:24].mean() == pytest.approx(np.sqrt(2), rel=0.05)


def test_last_72_is_the_empirical_distribution_of_72_rows(series: Made) -> None:
    rows = series(rows=200).values
    drawn = last_72(rows, 1, 7200, np.random.default_rng(1))
    assert set(np.unique(drawn)) <= set(rows[-72:].ravel())
    assert stats.ks_2samp(drawn.ravel(), rows[-72:].ravel()).statistic < 0.01


def test_the_q95_of_last_plus_q95_is_the_rule_of_that_name(series: Made) -> None:
    rows = series(rows=600).values
    peaks = np.array([rows[i + 1 : i + 5].max() - rows[i, 0] for i in range(len(rows) - 4)])
    drawn = last_plus(rows, 4, 2000, np.random.default_rng(1))
    assert np.quantile(drawn.max(axis=1), 0.95) == pytest.approx(rows[-1, 0] + np.quantile(peaks, 0.95), abs=0.3)


def test_reactive_rules_provide_the_last_row_over_the_target() -> None:
    flat = of(np.full(60, 7.0))
    assert set(paths("reactive-70", flat, origin=50).ravel().tolist()) == {10.0}
    assert set(paths("reactive-50", flat, origin=50).ravel().tolist()) == {14.0}


def test_bootstraps_repeat_changes_that_happened() -> None:
    doubling = of(2.0 ** (np.arange(60) % 20))
    assert paths("persistence-bootstrap", doubling, origin=50).min() >= 0
    steps = of(np.cumsum(np.tile([1.0, 1.0, -1.0, -1.0], 30)) + 50)
    assert set(np.unique(paths("persistence-additive", steps, origin=100, horizon=1)).tolist()) <= {49.0, 51.0}


def test_half_of_a_mixture_is_last_72(series: Made) -> None:
    still = replace(series(), values=np.concatenate([np.full((300, 1), 5.0), np.full((100, 1), 90.0)]))
    drawn = paths("mixture", still, origin=310, horizon=1)
    assert (drawn == 5.0).mean() == pytest.approx(0.5 * 62 / 72, abs=0.03)


@pytest.mark.parametrize("rule", SIMPLE, ids=lambda rule: rule.name)
@given(data=st.data())
def test_every_rule_is_finite_causal_and_repeatable_on_any_rows(rule: Rule, data: st.DataObject) -> None:
    number = st.one_of(st.floats(0, 1e12), st.just(float("nan")), st.just(0.0))
    values = np.array(data.draw(st.lists(number, min_size=3, max_size=60)))
    origin = data.draw(st.integers(1, len(values)))
    horizon = data.draw(st.integers(1, 8))
    before = of(np.append(values, np.zeros(8)))
    changed = replace(before, values=np.where(np.arange(len(before.values))[:, None] < origin, before.values, 9e9))
    fitted = rule.fit(series=before, rows=origin, horizon=horizon, context=24, seed=0)
    origins: Indices = np.array([origin], dtype=np.int64)
    drawn = [
        fitted.paths(series=each, origins=origins, horizon=horizon, count=16, seed=5)
        for each in (before, changed, before)
    ]
    assert drawn[0].shape == (1, 16, horizon, 1)
    assert np.isfinite(drawn[0]).all()
    assert (drawn[0] >= 0).all()
    assert drawn[0].tolist() == drawn[1].tolist() == drawn[2].tolist()
