from collections.abc import Callable

import numpy as np

from foretide.forecaster.evaluate.baselines.catalogue import ENTRIES
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.young import hidden

Made = Callable[..., Series]


def test_a_young_workload_is_forecast_from_its_newest_rows_alone(series: Made) -> None:
    long = series(rows=300)
    short = Series(long.group, 280 * long.step_s, long.step_s, long.columns, long.values[280:])
    young = hidden(ENTRIES["persistence-bootstrap"], 10).opened()
    drawn = [
        young.fit(series=each, rows=5, horizon=3, context=9, seed=0).paths(
            series=each, origins=np.array([origin]), horizon=3, count=16, seed=300 - origin
        )
        for each, origin in ((long, 290), (short, 10))
    ]
    assert drawn[0].shape == (1, 16, 3, 1)
    alone = ENTRIES["persistence-bootstrap"].opened().fit(series=short, rows=10, horizon=3, context=9, seed=0)
    expected = alone.paths(series=short, origins=np.array([10]), horizon=3, count=16, seed=300)
    assert drawn[0].tolist() == expected.tolist() == drawn[1].tolist()


def test_without_a_limit_the_competitor_is_itself() -> None:
    assert hidden(ENTRIES["naive"], 0) is ENTRIES["naive"]
