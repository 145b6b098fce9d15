from collections.abc import Callable

import numpy as np
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from foretide.forecaster import ets
from foretide.forecaster.ets import DampedTrend, Smoothing, fitted, recursion, simulated
from foretide.forecaster.past import past_of
from foretide.policies.flow import DemandHistory, Floats

History = Callable[..., DemandHistory]


def drawn(told: DemandHistory, *, horizon: int = 10, count: int = 400, tier: DampedTrend | None = None) -> Floats:
    tier = tier or DampedTrend()
    paths = tier.paths(past=past_of(told), horizon=horizon, count=count, rng=np.random.default_rng(2))
    assert paths is not None
    return paths


def test_the_recursion_is_that_of_statsmodels() -> None:
    series = np.cumsum(np.random.default_rng(1).normal(size=200))
    model = ETSModel(series, error="add", trend="add", damped_trend=True, initialization_method="heuristic")
    parameters = np.array([0.4, 0.05, 0.9, series[0], 0.0])
    reference = model.smooth(parameters)
    level, trend, _ = recursion(series, Smoothing(0.4, 0.05, 0.9))
    assert level == pytest.approx(float(reference.states[-1, 0]), abs=1e-6)
    assert trend == pytest.approx(float(reference.states[-1, 1]), abs=1e-6)


def test_without_errors_the_trend_dies_out_geometrically() -> None:
    path = simulated(10.0, 2.0, Smoothing(0.5, 0.1, 0.5), np.zeros((1, 3)))
    np.testing.assert_allclose(path, [[11.0, 11.5, 11.75]])


def test_a_gap_carries_the_state_forward() -> None:
    series = np.array([1.0] * 12 + [np.nan] * 5)
    level, trend, errors = recursion(series, Smoothing())
    assert (level, trend) == (1.0, 0.0)
    assert not errors.any()


def test_noise_around_a_level_is_forecast_as_that(history: History) -> None:
    rates = np.random.default_rng(0).normal(50.0, 2.0, size=300)
    requests = drawn(history(rates))[:, :, 0]
    assert requests.mean() == pytest.approx(50.0, rel=0.03)
    assert requests.std() == pytest.approx(2.0, rel=0.3)


def test_no_path_leaves_the_level_further_than_demand_ever_did(history: History) -> None:
    rates = 50.0 + 2.0 * np.sin(np.arange(300) * 1.7)
    requests = drawn(history(rates), horizon=200)[:, :, 0]
    assert requests.max() < 50 + 3.5 * 4
    assert requests.min() > 50 - 3.5 * 4


def test_tokens_keep_their_mean_lengths(history: History, days: Callable[..., Floats]) -> None:
    paths = drawn(history(days(300)))
    np.testing.assert_allclose(paths[:, :, 2], 200 * paths[:, :, 0], rtol=1e-9)


def test_parameters_are_refitted_only_every_thirty_rows(
    history: History, days: Callable[..., Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[int] = []

    def counted(series: Floats) -> Smoothing:
        fits.append(len(series))
        return Smoothing()

    monkeypatch.setattr(ets, "fitted", counted)
    tier, rates = DampedTrend(), days(200)
    for rows in range(100, 161):
        drawn(history(rates[:rows]), count=5, tier=tier)
    assert len(fits) == 3


@pytest.mark.parametrize("series", [np.ones(100), np.zeros(60), np.arange(5.0)])
def test_what_cannot_be_fitted_gets_the_defaults(series: Floats) -> None:
    assert fitted(series) == Smoothing()


def test_it_is_silent_with_few_or_only_idle_rows(history: History, days: Callable[..., Floats]) -> None:
    rng = np.random.default_rng(0)
    assert DampedTrend().paths(past=past_of(history(days(59))), horizon=3, count=4, rng=rng) is None
    assert DampedTrend().paths(past=past_of(history(np.zeros(90))), horizon=3, count=4, rng=rng) is None
