"""Forecasters that look ahead: what an evaluation has to catch."""

import numpy as np

from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats


class Seer:
    """Tells what will come."""

    name = "seer"

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        return self

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        seen = series.values[origins[:, None] + np.arange(horizon)]
        return np.repeat(seen[:, None], count, axis=1)
