"""The ladder behind the seam of comparisons."""

import numpy as np
import pytest

from foretide.forecaster.evaluate.model import Model, Series
from foretide.forecaster.evaluate.pooled import Pooled, history_at
from foretide.policies.flow import Floats


def series(width: int, rows: int = 60) -> Series:
    rng = np.random.default_rng(1)
    values = 5 + rng.gamma(4.0, size=(rows, width)) * np.arange(1, width + 1)
    return Series("one", 0.0, 600.0, tuple("abcdefgh"[:width]), values)


def asked(told: Series, origins: list[int]) -> Floats:
    model: Model = Pooled()
    fitted = model.fit(series=told, rows=20, horizon=3, context=10, seed=1)
    return fitted.paths(series=told, origins=np.array(origins), horizon=3, count=16, seed=1)


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_any_number_of_indicators_gives_paths_of_each_near_its_own_level(width: int) -> None:
    told = series(width)
    paths = asked(told, [40, 50])
    assert paths.shape == (2, 16, 3, width)
    np.testing.assert_allclose(np.median(paths, axis=(0, 1, 2)), np.median(told.values, axis=0), rtol=0.35)


def test_the_order_of_origins_changes_nothing() -> None:
    told = series(1)
    np.testing.assert_array_equal(asked(told, [50, 40])[::-1], asked(told, [40, 50]))


def test_rows_after_an_origin_change_nothing() -> None:
    told = series(3)
    changed = Series("one", 0.0, 600.0, told.columns, np.concatenate([told.values[:50], 99 * told.values[50:]]))
    np.testing.assert_array_equal(asked(told, [40, 50]), asked(changed, [40, 50]))


def test_fewer_indicators_than_places_are_repeated() -> None:
    told = series(2)
    history = history_at(told, [0, 1], 30)
    np.testing.assert_array_equal(history.values, told.values[:30][:, [0, 1, 1]])


def test_a_negative_series_is_forecast_as_nothing_known() -> None:
    told = Series("one", 0.0, 600.0, ("a",), -np.ones((40, 1)))
    np.testing.assert_array_equal(asked(told, [30]), np.zeros((1, 16, 3, 1)))
