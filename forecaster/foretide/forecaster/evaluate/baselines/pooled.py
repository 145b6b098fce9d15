"""What ships: the ladder of tiers, asked online, one origin after another, its weights from matured forecasts alone.

Each indicator has a ladder of its own. Between two origins that are scored it is asked as often as `asked_every` says,
so that its scores ripen as they would in life.

What is NOT promised: dependence between indicators; they are forecast one by one here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.ladder import Ladder
from foretide.forecaster.past import Indices
from foretide.policies.flow import REQUESTS, DemandHistory, Floats, Trust, frozen

MEMORY_S = 8 * 86400.0
"""What the ladder is shown: a week and a day."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """A `Model` around the ladder that `opened` gives."""

    name: str = "pooled"
    opened: Callable[[], Ladder] = Ladder
    asked_every: int = 0
    """Rows between two askings; 0 asks at the scored origins alone."""

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Nothing is learned beforehand: the ladder rehearses on what came before its first origin."""
        del series, rows, horizon, context, seed
        return Online(self.opened, self.asked_every)


@dataclass(frozen=True, slots=True)
class Online:
    """Opens a fresh ladder for each call, so that the same call gives the same paths."""

    opened: Callable[[], Ladder]
    asked_every: int

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N); the origins ascend."""
        columns = [
            self._one(replace(series, values=series.values[:, [index]]), origins, horizon, count, seed + index)
            for index in range(series.values.shape[1])
        ]
        return np.stack(columns, axis=3)

    def _one(self, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        ladder, drawn = self.opened(), np.empty((len(origins), count, horizon))
        wanted = {origin: place for place, origin in enumerate(origins.tolist())}
        for row in _askings(origins, self.asked_every):
            history = history_at(series, row)
            forecast = ladder.forecast(history=history, horizon=horizon, paths=count, seed=seed + row)
            if row in wanted:
                drawn[wanted[row]] = 0.0 if forecast is None else forecast.paths[:, :, REQUESTS]
        return drawn


def history_at(series: Series, row: int) -> DemandHistory:
    """The first indicator of the rows before `row` as a demand history; each request carries one token each way."""
    begin = max(0, row - round(MEMORY_S / series.step_s))
    values = np.repeat(series.values[begin:row, :1], 3, axis=1)
    return DemandHistory(series.start_s + begin * series.step_s, series.step_s, frozen(values), Trust.FRESH)


def _askings(origins: Indices, every: int) -> Iterator[int]:
    """The origins, and rows between them at most `every` apart."""
    previous = None
    for origin in origins.tolist():
        if previous is not None and every:
            yield from range(previous + every, origin, every)
        yield origin
        previous = origin
