"""Each tier of the ladder alone, so that what the pool adds can be seen, and the network that ships, alone.

The tiers are the shipped code with the bounds that the ladder puts on their paths, shown what the ladder is shown.
Where a tier has nothing to say yet, the naive rule stands in for it.

`shipped-network` is the pre-trained network as it is served, by onnxruntime: it saw no row of these series.

What is NOT promised: dependence between indicators where there are more than three.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng

from foretide.forecaster.evaluate.baselines.asked import history_at, targets_of
from foretide.forecaster.evaluate.baselines.missing import needs
from foretide.forecaster.evaluate.baselines.simple import naive
from foretide.forecaster.evaluate.baselines.windows import DAY_S, filled
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.ladder import own_tiers
from foretide.forecaster.network import shipped
from foretide.forecaster.network.pool import Pool
from foretide.forecaster.network.session import opened
from foretide.forecaster.network.tier import NetworkTier
from foretide.forecaster.past import Indices, past_of
from foretide.forecaster.tier import Tier, ceiling
from foretide.policies.flow import Floats


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
        """Joint paths (O, count, horizon, N); a fresh tier for each call and target."""
        drawn = np.empty((len(origins), count, horizon, series.values.shape[1]))
        for index, columns in enumerate(targets_of(series.values.shape[1])):
            tier = self.opened()
            for place, origin in enumerate(origins.tolist()):
                rng = default_rng([abs(seed) + index, origin])
                drawn[place][:, :, columns] = _drawn(
                    tier, series, columns, origin=origin, horizon=horizon, count=count, rng=rng
                )
        return drawn


def _drawn(
    tier: Tier, series: Series, columns: tuple[int, ...], *, origin: int, horizon: int, rng: Generator, count: int
) -> Floats:
    """Bounded paths (count, horizon, n) of a target's n indicators for one origin."""
    past = past_of(history_at(series, columns, origin))
    paths = tier.paths(past=past, horizon=horizon, count=count, rng=rng) if past.count else None
    if paths is None or not np.isfinite(paths).all():
        return np.maximum(naive(filled(series.values[:origin][:, columns]), horizon, count, rng), 0.0)
    return np.asarray(np.clip(paths, 0.0, ceiling(past, horizon))[:, :, : len(columns)], dtype=np.float64)


@cache
def _heads() -> Pool:
    """The heads that ship, checked. Raises NotInstalled where there is no onnxruntime."""
    (folder,) = shipped.__path__
    with needs("shipped-network", "onnxruntime"):
        return Pool([opened(Path(folder), head) for head in ("replica", "node")])


def _tier(place: int) -> Alone:
    """The tier at this place of a ladder, under the name that its column of a table has."""
    name = own_tiers(season_s=DAY_S)[place].name
    return Alone(name if name == "ets" else f"tier-{name}", lambda: own_tiers(season_s=DAY_S)[place])


TIERS = tuple(_tier(place) for place in range(len(own_tiers(season_s=DAY_S))))
SHIPPED = Alone("shipped-network", lambda: NetworkTier(_heads(), "series"))
