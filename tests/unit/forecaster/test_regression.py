"""The regression tier: what it expects, how far it is from it, and when it is silent."""

from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster import regression
from foretide.forecaster.past import past_of
from foretide.forecaster.regression import Regression
from foretide.forecaster.scoring import covered, crps
from foretide.policies.flow import DemandHistory, Floats

History = Callable[..., DemandHistory]
Days = Callable[..., Floats]
NAN = float("nan")


def drawn(told: DemandHistory, *, horizon: int = 10, count: int = 200, tier: Regression | None = None) -> Floats:
    tier = tier or Regression()
    paths = tier.paths(past=past_of(told), horizon=horizon, count=count, rng=np.random.default_rng(3))
    assert paths is not None
    assert paths.shape == (count, horizon, 3)
    return paths


def returning(rows: int, *, seed: int = 0, pull: float = 0.2) -> Floats:
    """Demand around 100 that comes back to it by a fifth of the way at every step."""
    noise, values = np.random.default_rng(seed).normal(0, 4.0, size=rows), np.full(rows, 100.0)
    for row in range(1, rows):
        values[row] = values[row - 1] + pull * (100.0 - values[row - 1]) + noise[row]
    return values


def test_demand_that_returns_to_its_mean_is_expected_to(history: History) -> None:
    rates = returning(600)
    rates[-3:] = [120.0, 130.0, 140.0]
    means = drawn(history(rates))[:, :, 0].mean(axis=0)
    np.testing.assert_allclose(means, 100 + 40 * 0.8 ** np.arange(1, 11), atol=6.0)


def test_the_spread_is_that_of_the_misses(history: History) -> None:
    spread = drawn(history(returning(3000)))[:, :, 0].std(axis=0)
    expected = 4.0 * np.sqrt(np.cumsum(0.8 ** (2 * np.arange(10))))
    np.testing.assert_allclose(spread, expected, rtol=0.2)


def test_a_daily_ramp_is_seen_before_it_comes(history: History) -> None:
    """Seen from the trough of the wave only the clock can tell where demand is in an hour."""
    season, rows = 200, 1000
    smooth = 40 - 20 * np.cos(2 * np.pi * np.arange(rows) / season)
    noisy = np.random.default_rng(1).poisson(smooth * 60) / 60
    trough = 4 * season
    told = history(noisy[:trough])
    knows = drawn(told, horizon=60, tier=Regression(season_s=season * 60.0))[:, -1, 0]
    assert np.median(knows) == pytest.approx(smooth[trough + 59], rel=0.1)


def test_intervals_cover_and_beat_last_value(history: History, days: Days) -> None:
    rates, tier = days(2600, seed=6), Regression()
    inside, own, last = [], [], []
    for end in range(2000, 2590, 7):
        paths, actual = drawn(history(rates[:end]), tier=tier)[:, :, 0], rates[end : end + 10]
        inside.append(covered(paths, actual, level=0.8).mean())
        own.append(crps(paths, actual).mean())
        last.append(np.abs(rates[end - 1] - actual).mean())
    assert 0.74 <= np.mean(inside) <= 0.86
    assert np.mean(own) < 0.72 * np.mean(last)


def test_indicators_of_a_path_move_together(history: History, days: Days) -> None:
    paths = drawn(history(days(400)))
    np.testing.assert_allclose(paths[:, :, 1], 1000 * paths[:, :, 0], rtol=1e-6)


def test_only_rows_before_the_end_are_looked_at(history: History, days: Days) -> None:
    past = past_of(history(days(900)))
    rng = np.random.default_rng
    cut = Regression().paths(past=past.until(700), horizon=10, count=50, rng=rng(1))
    alone = Regression().paths(past=past_of(history(days(900)[:700])), horizon=10, count=50, rng=rng(1))
    assert cut is not None
    assert alone is not None
    np.testing.assert_allclose(cut, alone, rtol=1e-9)


def test_coefficients_are_refitted_only_every_thirty_rows(
    history: History, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[int] = []
    plain = Regression._fitted

    def counted(self: Regression, *given: object) -> object:
        fits.append(1)
        return plain(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Regression, "_fitted", counted)
    tier, rates = Regression(), days(300)
    for rows in range(200, 261):
        drawn(history(rates[:rows]), count=5, tier=tier)
    assert len(fits) == 3


def test_a_longer_horizon_or_another_grid_is_fitted_anew(history: History, days: Days) -> None:
    tier, rates = Regression(), days(300)
    assert drawn(history(rates), horizon=5, tier=tier).shape[1] == 5
    assert drawn(history(rates), horizon=9, tier=tier).shape[1] == 9
    np.testing.assert_array_equal(drawn(history(rates, step=15.0), tier=tier), drawn(history(rates, step=15.0)))


def test_gaps_are_bridged_or_left_out(history: History, days: Days) -> None:
    rates = days(600)
    rates[200:260] = NAN
    rates[400:402] = NAN
    rates[-2:] = NAN
    assert np.isfinite(drawn(history(rates))).all()


def test_it_is_silent_with_few_rows_or_behind_a_long_gap(history: History, days: Days) -> None:
    rates = days(120)
    silent = rates.copy()
    silent[-6:] = NAN
    for told in (rates[:99], silent):
        past = past_of(history(told))
        assert Regression().paths(past=past, horizon=10, count=5, rng=np.random.default_rng(0)) is None
    assert drawn(history(rates[:100])).min() >= 0.0


def test_a_long_past_is_thinned_out_and_says_the_same(
    history: History, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = history(days(3000))
    whole = drawn(told)
    monkeypatch.setattr(regression, "FITTED", 500)
    np.testing.assert_allclose(np.median(drawn(told), axis=0), np.median(whole, axis=0), rtol=0.1)


@pytest.mark.parametrize("rates", [np.r_[np.zeros(200), 1.0], np.r_[np.full(199, 5.0), 1e11, 5.0], np.arange(200.0)])
def test_strange_pasts_give_finite_paths(history: History, rates: Floats) -> None:
    assert np.isfinite(drawn(history(rates))).all()
