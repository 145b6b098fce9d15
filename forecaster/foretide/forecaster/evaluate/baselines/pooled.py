"""What ships: the ladder of tiers, asked online, one origin after another, its weights from matured forecasts alone.

Each indicator has a ladder of its own. Between two origins that are scored it is asked as often as `asked_every` says,
so that its scores ripen as they would in life.

What is NOT promised: dependence between indicators; they are forecast one by one here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from foretide.forecaster.evaluate.model import Fitted, Model, Series
from foretide.forecaster.evaluate.pooled import history_at
from foretide.forecaster.ladder import Ladder
from foretide.forecaster.past import Indices, Past
from foretide.forecaster.tier import Tier
from foretide.policies.flow import REQUESTS, Floats


@dataclass(frozen=True, slots=True)
class Pooled:
    """A `Model` around the ladder that `opened` gives."""

    name: str = "pooled"
    calibrated: bool = False
    learned: Callable[[], Model] | None = None
    """A model that joins each ladder as a tier of its own, once it is fitted to the indicator's training rows."""
    asked_every: int = 0
    """Rows between two askings; 0 asks at the scored origins alone."""

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """The ladder learns nothing beforehand: it rehearses on what came before its first origin."""
        tiers: list[tuple[Tier, ...]] = [() for _ in series.columns]
        if self.learned is not None:
            for index, one in enumerate(_columns(series)):
                model = self.learned()
                fitted = model.fit(series=one, rows=rows, horizon=horizon, context=context, seed=seed)
                tiers[index] = (Learned(model.name, fitted),)
        return Online(tuple(tiers), self.calibrated, self.asked_every)


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A fitted model of one indicator as a tier of the ladder."""

    name: str
    fitted: Fitted

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats:
        """Joint paths (count, horizon, 3), three times the one indicator."""
        rows = len(past.known)
        series = Series("", past.end - rows * past.step, past.step, ("demand",), past.known[:, :1])
        told = self.fitted.paths(
            series=series,
            origins=np.array([rows], dtype=np.int64),
            horizon=horizon,
            count=count,
            seed=int(rng.integers(2**31)),
        )
        return np.repeat(told[0], 3, axis=2)


@dataclass(frozen=True, slots=True)
class Online:
    """Opens fresh ladders for each call, so that the same call gives the same paths."""

    learned: tuple[tuple[Tier, ...], ...]
    """Further tiers of each indicator's ladder."""
    calibrated: bool
    asked_every: int

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N); the origins ascend."""
        columns = [
            self._one(one, Ladder(learned=tiers, calibration=self.calibrated), origins, (count, horizon), seed + index)
            for index, (one, tiers) in enumerate(zip(_columns(series), self.learned, strict=True))
        ]
        return np.stack(columns, axis=3)

    def _one(self, series: Series, ladder: Ladder, origins: Indices, shape: tuple[int, int], seed: int) -> Floats:
        count, horizon = shape
        drawn = np.empty((len(origins), count, horizon))
        wanted = {origin: place for place, origin in enumerate(origins.tolist())}
        for row in _askings(origins, self.asked_every):
            history = history_at(series, [0], row)
            forecast = ladder.forecast(history=history, horizon=horizon, paths=count, seed=seed + row)
            if row in wanted:
                drawn[wanted[row]] = 0.0 if forecast is None else forecast.paths[:, :, REQUESTS]
        return drawn


def _columns(series: Series) -> list[Series]:
    """Each indicator as a series of its own."""
    return [
        replace(series, columns=(name,), values=series.values[:, [index]]) for index, name in enumerate(series.columns)
    ]


def _askings(origins: Indices, every: int) -> Iterator[int]:
    """The origins, and rows between them at most `every` apart."""
    previous = None
    for origin in origins.tolist():
        if previous is not None and every:
            yield from range(previous + every, origin, every)
        yield origin
        previous = origin
