from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from foretide.forecaster.evaluate.baselines.asked import history_at, row_at, targets_of
from foretide.forecaster.evaluate.baselines.pooled import Pooled, askings
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.ladder import Ladder
from foretide.forecaster.past import Indices
from foretide.policies.flow import REQUESTS, Floats

Made = Callable[..., Series]


def asked(model: Pooled, given: Series, origins: list[int], *, count: int = 16) -> Floats:
    fitted = model.fit(series=given, rows=40, horizon=4, context=48, seed=0)
    return fitted.paths(series=given, origins=np.array(origins), horizon=4, count=count, seed=3)


@pytest.mark.parametrize("calibrated", [False, True])
def test_pooled_is_the_ladder_as_an_operator_asks_it(series: Made, calibrated: bool) -> None:
    given = series(rows=90, step_s=1800.0)
    drawn = asked(Pooled(calibrated=calibrated), given, [45, 52, 59], count=64)
    ladder = Ladder(calibration=calibrated)
    for place, row in enumerate((45, 52, 59)):
        forecast = ladder.forecast(history=history_at(given, (0,), row), horizon=4, paths=64, seed=3 + row)
        assert forecast is not None
        assert drawn[place, :, :, 0].tolist() == forecast.paths[:, :, REQUESTS].tolist()


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_any_number_of_indicators_gives_paths_of_each_near_its_own_level(series: Made, width: int) -> None:
    given = series(rows=90, columns=width, step_s=600.0)
    paths = asked(Pooled(), given, [60, 70])
    assert paths.shape == (2, 16, 4, width)
    np.testing.assert_allclose(paths.mean(axis=(0, 1, 2)), given.values[60:74].mean(axis=0), rtol=0.35)


def test_up_to_three_indicators_are_one_demand_and_more_are_one_each(series: Made) -> None:
    assert targets_of(3) == ((0, 1, 2),)
    assert targets_of(4) == ((0,), (1,), (2,), (3,))
    given = series(rows=40, columns=2)
    np.testing.assert_array_equal(history_at(given, (0, 1), 30).values, given.values[:30][:, [0, 1, 1]])


def test_indicators_of_one_demand_move_together() -> None:
    rng = np.random.default_rng(2)
    level = rng.gamma(4.0, size=(120, 1))
    paths = asked(Pooled(), Series("one", 0.0, 600.0, ("a", "b"), level * [1.0, 3.0]), [100], count=64)[0, :, 0]
    assert np.corrcoef(paths.T)[0, 1] > 0.9


def test_a_history_ends_with_the_row_before_the_origin_and_holds_eight_days() -> None:
    given = Series("one", 5000.0, 7200.0, ("a",), np.arange(200.0)[:, None])
    history = history_at(given, (0,), 150)
    assert (history.end, len(history.values), history.values[-1, 0]) == (5000.0 + 150 * 7200.0, 96, 149.0)
    assert row_at(given, history.end) == 150


def test_the_same_call_gives_the_same_paths_in_any_order(series: Made) -> None:
    given, model = series(rows=90, columns=2), Pooled(asked_every=3)
    first = asked(model, given, [45, 55])
    assert first.tolist() == asked(model, given, [45, 55]).tolist()
    assert first.tolist() == asked(model, given, [55, 45])[::-1].tolist()


@pytest.mark.parametrize("value", [np.nan, -1.0])
def test_nothing_measured_is_forecast_as_nothing(value: float) -> None:
    dark = Series("web", 0.0, 60.0, ("a",), np.full((50, 1), value))
    assert asked(Pooled(), dark, [44]).tolist() == np.zeros((1, 16, 4, 1)).tolist()


def test_a_ladder_is_asked_between_origins_too() -> None:
    assert list(askings(np.array([10, 14, 14, 20]), 3)) == [10, 13, 14, 17, 20]
    assert list(askings(np.array([10, 14]), 0)) == [10, 14]


@dataclass
class Oracle:
    """Says what the last row says, and remembers what it was shown."""

    name: str = "oracle"
    shown: list[tuple[int, int]] = field(default_factory=list)

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        assert rows == 40
        return self

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        (row,) = origins.tolist()
        self.shown.append((row, len(series.values)))
        noise = 1e-3 * np.random.default_rng(seed).standard_normal((1, count, horizon, len(series.columns)))
        return series.values[row - 1] + noise


@pytest.mark.parametrize("width", [2, 5])
def test_a_learned_tier_sees_the_past_alone_and_is_asked_once_per_row(width: int) -> None:
    steady = np.arange(400.0)[:, None] // 50 + 10.0 * np.arange(1, width + 1)
    given = Series("one", 0.0, 600.0, tuple("abcde"[:width]), steady)
    oracle = Oracle()
    drawn = asked(Pooled(learned=lambda: oracle), given, list(range(300, 340)))
    assert all(row == known for row, known in oracle.shown)
    assert len(set(oracle.shown)) == len(oracle.shown)
    assert {row for row, _ in oracle.shown} >= set(range(300, 340))
    # Nothing else knows a staircase so well: in the end it is heard.
    np.testing.assert_allclose(drawn[-1].mean(axis=(0, 1)), given.values[339], rtol=0.02)
