"""Joint paths from forecasts that only have quantiles per step: the Schaake shuffle (Clark et al. 2004).

The quantile functions stay what they are; ranks over steps and indicators follow stretches of the series' own past, so
that a model of marginals is not punished for what it does not model.
"""

import numpy as np
from numpy.random import default_rng

from foretide.forecaster.evaluate.baselines.windows import filled, picked, stretches
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

MEMORY = 2880
"""Newest rows from which stretches are taken."""


def shuffled(quantiles: Floats, *, levels: Floats, series: Series, origins: Indices, count: int, seed: int) -> Floats:
    """Quantiles (O, Q, H, N) at ascending `levels` -> paths (O, count, H, N).

    Between levels the quantile function is linear; beyond the outermost it stays flat. Crossing quantiles are sorted.
    """
    rows, ordered = filled(series.values), np.sort(quantiles, axis=1)
    _, _, horizon, width = ordered.shape
    drawn = np.empty((len(origins), count, horizon, width))
    for place, origin in enumerate(origins.tolist()):
        rng = default_rng([abs(seed), origin])
        ranks = _ranks(rows[max(0, origin - MEMORY) : origin], horizon, width, count, rng)
        for step in range(horizon):
            for column in range(width):
                drawn[place, :, step, column] = np.interp(
                    ranks[:, step, column], levels, ordered[place, :, step, column]
                )
    return drawn


def _ranks(rows: Floats, horizon: int, width: int, count: int, rng: np.random.Generator) -> Floats:
    """Ranks in (0, 1) of `count` past stretches against each other, per step and indicator (count, H, N)."""
    if len(rows) > horizon:
        templates = stretches(rows, picked(0, len(rows) - horizon + 1, count, rng), horizon)
        templates = templates + 1e-9 * (1.0 + np.abs(templates)) * rng.random(templates.shape)  # ties fall at random
    else:
        templates = rng.random((count, horizon, width))
    order = templates.argsort(axis=0).argsort(axis=0)
    return np.asarray((order + rng.random(order.shape)) / count, dtype=np.float64)
