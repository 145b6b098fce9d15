"""What ships: the ladder of tiers, asked online, one origin after another, its weights from matured forecasts alone.

Up to three indicators share a ladder, so that they are forecast jointly; more have a ladder each (see `asked`). Between
two origins that are scored a ladder is asked as often as `asked_every` says, so that its scores ripen as in life.

What is NOT promised: that a learned tier is heard. It is on probation until it has beaten the best other tier.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from foretide.forecaster.evaluate.baselines.asked import history_at, known_until, places_of, row_at, targets_of
from foretide.forecaster.evaluate.model import Fitted, Model, Series
from foretide.forecaster.ladder import Ladder
from foretide.forecaster.past import Indices, Past
from foretide.forecaster.tier import Tier
from foretide.policies.flow import Floats

REMEMBERED = 128
"""Origins whose joint answer is kept for the other targets: more than a rehearsal has."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """A `Model` around the ladder."""

    name: str = "pooled"
    calibrated: bool = True
    learned: Callable[[], Model] | None = None
    """A model of all indicators that joins each ladder as a tier, once it is fitted to the training rows."""
    asked_every: int = 0
    """Rows between two askings; 0 asks at the scored origins alone."""

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """The ladder learns nothing beforehand: it rehearses on what came before its first origin."""
        if self.learned is None:
            return Online(self.calibrated, self.asked_every)
        model = self.learned()
        fitted = model.fit(series=series, rows=rows, horizon=horizon, context=context, seed=seed)
        return Online(self.calibrated, self.asked_every, model.name, fitted)


@dataclass(frozen=True, slots=True)
class Online:
    """Opens fresh ladders for each call, so that the same call gives the same paths."""

    calibrated: bool = True
    asked_every: int = 0
    name: str = ""
    fitted: Fitted | None = None
    """The learned tier's model, and its name."""

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N), asked in order of time."""
        width = series.values.shape[1]
        answers = Answers(series, self.fitted, seed) if self.fitted else None
        targets = [(columns, self._ladder(columns, answers)) for columns in targets_of(width)]
        drawn = np.zeros((len(origins), count, horizon, width))
        order = np.argsort(origins, kind="stable")
        wanted = {int(origins[place]): place for place in order}
        for row in askings(origins[order], self.asked_every):
            for index, (columns, ladder) in enumerate(targets):
                history = history_at(series, columns, row)
                forecast = ladder.forecast(history=history, horizon=horizon, paths=count, seed=seed + index + row)
                if row in wanted and forecast is not None:
                    drawn[wanted[row]][:, :, columns] = forecast.paths[:, :, : len(columns)]
        return drawn

    def _ladder(self, columns: tuple[int, ...], answers: "Answers | None") -> Ladder:
        learned: tuple[Tier, ...] = (Learned(self.name, columns, answers),) if answers else ()
        return Ladder(learned=learned, calibration=self.calibrated)


@dataclass(slots=True, eq=False)
class Answers:
    """What a fitted model of all indicators says at a row, from the rows before it, kept for the other targets."""

    series: Series
    fitted: Fitted
    seed: int
    kept: dict[tuple[int, int, int], Floats] = field(default_factory=dict)

    def at(self, row: int, *, horizon: int, count: int) -> Floats:
        """Joint paths (count, horizon, N)."""
        place = (row, horizon, count)
        if place not in self.kept:
            if len(self.kept) >= REMEMBERED:
                self.kept.pop(next(iter(self.kept)))
            (self.kept[place],) = self.fitted.paths(
                series=known_until(self.series, row),
                origins=np.array([row], dtype=np.int64),
                horizon=horizon,
                count=count,
                seed=self.seed + row,
            )
        return self.kept[place]


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A fitted model as a tier of one target's ladder."""

    name: str
    columns: tuple[int, ...]
    answers: Answers

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats:
        """Joint paths (count, horizon, 3) of the target's indicators; the row decides the noise, for all targets."""
        del rng
        told = self.answers.at(row_at(self.answers.series, past.end), horizon=horizon, count=count)
        return told[:, :, places_of(self.columns)]


def askings(origins: Indices, every: int) -> Iterator[int]:
    """The ascending origins, and rows between them at most `every` apart; each once."""
    previous = None
    for origin in dict.fromkeys(origins.tolist()):
        if previous is not None and every:
            yield from range(previous + every, origin, every)
        yield origin
        previous = origin
