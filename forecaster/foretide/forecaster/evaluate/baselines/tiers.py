"""Each tier of the ladder alone, so that what the pool adds can be seen; `ets` is one of them.

The tiers are the shipped code with the bounds that the ladder puts on their paths. Where a tier has nothing to say yet,
the naive rule stands in for it.

What is NOT promised: dependence between indicators; tiers are asked one by one here, as for `pooled`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator, default_rng

from foretide.forecaster.ets import DampedTrend
from foretide.forecaster.evaluate.baselines.simple import naive
from foretide.forecaster.evaluate.baselines.windows import filled
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.evaluate.pooled import history_at
from foretide.forecaster.past import Indices, past_of
from foretide.forecaster.persistence import COUNTED, PersistenceBootstrap
from foretide.forecaster.regression import Regression
from foretide.forecaster.seasonal import SeasonalWindows
from foretide.forecaster.tier import Tier, ceiling
from foretide.policies.flow import REQUESTS, Floats


@dataclass(frozen=True, slots=True)
class Alone:
    """A `Model` of one tier; `opened` gives a tier without memory of other series."""

    name: str
    opened: Callable[[], Tier]

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """A tier learns at each origin from its past."""
        del series, rows, horizon, context, seed
        return _Asked(self.opened)


@dataclass(frozen=True, slots=True)
class _Asked:
    opened: Callable[[], Tier]

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N); a fresh tier for each call."""
        columns = [
            self._one(replace(series, values=series.values[:, [index]]), origins, horizon, count, seed + index)
            for index in range(series.values.shape[1])
        ]
        return np.stack(columns, axis=3)

    def _one(self, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        tier = self.opened()
        drawn = [
            _drawn(tier, series, origin, (count, horizon), default_rng([abs(seed), origin]))
            for origin in origins.tolist()
        ]
        return np.stack(drawn)


def _drawn(tier: Tier, series: Series, origin: int, shape: tuple[int, int], rng: Generator) -> Floats:
    """Bounded paths of `shape` (count, horizon) for one origin."""
    past, (count, horizon) = past_of(history_at(series, [0], origin)), shape
    paths = tier.paths(past=past, horizon=horizon, count=count, rng=rng) if past.count else None
    if paths is None or not np.isfinite(paths).all():
        stand_in = naive(filled(series.values[:origin]), horizon, count, rng)[:, :, 0]
        return np.asarray(np.maximum(stand_in, 0.0), dtype=np.float64)
    return np.asarray(np.clip(paths, 0.0, ceiling(past, horizon))[:, :, REQUESTS], dtype=np.float64)


TIERS = (
    Alone("ets", DampedTrend),
    Alone("tier-regression", Regression),
    Alone("tier-count-bootstrap", lambda: PersistenceBootstrap(scale=COUNTED)),
    Alone("tier-level-bootstrap", lambda: PersistenceBootstrap(scale=COUNTED, smoothing=0.3)),
    Alone("tier-seasonal-windows", SeasonalWindows),
)
