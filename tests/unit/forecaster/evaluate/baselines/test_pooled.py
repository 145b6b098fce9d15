from collections.abc import Callable

import numpy as np

from foretide.forecaster.evaluate.baselines.pooled import Pooled
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.pooled import history_at
from foretide.forecaster.ladder import Ladder
from foretide.policies.flow import REQUESTS

Made = Callable[..., Series]


def test_pooled_is_the_ladder_as_an_operator_asks_it(series: Made) -> None:
    given = series(rows=90, step_s=1800.0)
    fitted = Pooled(calibrated=True).fit(series=given, rows=40, horizon=4, context=48, seed=0)
    drawn = fitted.paths(series=given, origins=np.array([45, 52, 59]), horizon=4, count=64, seed=3)
    ladder = Ladder()
    for place, row in enumerate((45, 52, 59)):
        forecast = ladder.forecast(history=history_at(given, [0], row), horizon=4, paths=64, seed=3 + row)
        assert forecast is not None
        assert drawn[place, :, :, 0].tolist() == forecast.paths[:, :, REQUESTS].tolist()


def test_the_same_call_gives_the_same_paths(series: Made) -> None:
    given = series(rows=90, columns=2)
    fitted = Pooled(asked_every=3).fit(series=given, rows=40, horizon=4, context=48, seed=0)
    calls = [fitted.paths(series=given, origins=np.array([45, 55]), horizon=4, count=32, seed=1) for _ in range(2)]
    assert calls[0].tolist() == calls[1].tolist()
    assert calls[0].shape == (2, 32, 4, 2)


def test_nothing_measured_is_forecast_as_nothing() -> None:
    dark = Series("web", 0.0, 60.0, ("a",), np.full((50, 1), np.nan))
    fitted = Pooled().fit(series=dark, rows=30, horizon=2, context=10, seed=0)
    assert (
        fitted.paths(series=dark, origins=np.array([40]), horizon=2, count=8, seed=0).tolist()
        == np.zeros((1, 8, 2, 1)).tolist()
    )
