import numpy as np
import pytest

from foretide.forecaster.evaluate.tally import Tally, by_origin, figures, outcomes, seasonal_error


def test_figures_do_not_depend_on_how_origins_came_in() -> None:
    rng = np.random.default_rng(1)
    paths, actual = rng.random((150, 32, 4, 2)), rng.random((150, 4, 2))
    whole, parts = Tally(), Tally()
    whole.add(paths=paths, actual=actual, seed=0)
    parts.add(paths=paths[:64], actual=actual[:64], seed=0)
    parts.add(paths=paths[64:], actual=actual[64:], seed=64)
    assert figures(whole.whole(), seasonal_error=np.ones(2)) == figures(parts.whole(), seasonal_error=np.ones(2))


def test_an_indicator_that_is_always_zero_counts_for_nothing_in_relative_scores() -> None:
    rng = np.random.default_rng(2)
    paths, actual = rng.random((80, 32, 3, 1)), rng.random((80, 3, 1))
    alone, beside = Tally(), Tally()
    alone.add(paths=paths, actual=actual, seed=0)
    still = np.zeros_like(paths), np.zeros_like(actual)
    beside.add(paths=np.concatenate([paths, still[0]], 3), actual=np.concatenate([actual, still[1]], 2), seed=0)
    one = figures(alone.whole(), seasonal_error=np.ones(1))
    two = figures(beside.whole(), seasonal_error=np.array([1.0, 0.0]))
    for name in ("wql", "mase", "decision_cost", "peak_pinball95"):
        assert two[name] == pytest.approx(one[name])


def test_wql_is_the_sum_of_losses_over_the_sum_of_outcomes() -> None:
    paths, actual = np.full((2, 8, 1, 1), 3.0), np.array([[[2.0]], [[6.0]]])
    tally = Tally()
    tally.add(paths=paths, actual=actual, seed=0)
    pinball = [
        np.mean([(1 - q) * 1.0 for q in np.arange(0.1, 1, 0.1)]),
        np.mean([q * 3.0 for q in np.arange(0.1, 1, 0.1)]),
    ]
    assert figures(tally.whole(), seasonal_error=np.ones(1))["wql"] == pytest.approx(2 * sum(pinball) / 8.0)
    assert np.mean(by_origin(tally.whole())["wql"]) == pytest.approx(2 * sum(pinball) / 8.0, rel=1e-5)


def test_mase_divides_by_the_error_of_a_day_ago() -> None:
    rows = np.array([[1.0], [2.0], [4.0], [np.nan], [8.0]])
    assert seasonal_error(rows, season=2).tolist() == [(3.0 + 4.0) / 2]
    assert seasonal_error(rows, season=99).tolist() == [1.5]


def test_outcomes_are_the_rows_from_the_origin_on() -> None:
    assert outcomes(np.arange(10.0)[:, None], origins=np.array([3, 5]), horizon=2)[:, :, 0].tolist() == [[3, 4], [5, 6]]
