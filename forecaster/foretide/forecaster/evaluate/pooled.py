"""What ships, as a competitor: the calibrated ladder, asked online, its opinions from matured forecasts alone.

Up to three indicators share one ladder, so that their joint behaviour is forecast: they take the places of requests,
prompt and output tokens; the last one fills the places that are left, which changes no forecast of it. More indicators
have a ladder each.

What is NOT promised: dependence between indicators where there are more than three. Negative values are no demand; the
ladder takes them for gaps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.ladder import Ladder
from foretide.forecaster.past import Indices
from foretide.policies.flow import DemandHistory, Floats, Trust, frozen

MEMORY_S = 8 * 86400.0
"""What the ladder is shown: a week and a day."""
PLACES = 3


def calibrated() -> Ladder:
    return Ladder(calibration=True)


@dataclass(frozen=True, slots=True)
class Pooled:
    """A `Model` around the ladder that `opened` gives."""

    name: str = "pooled"
    opened: Callable[[], Ladder] = calibrated

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Nothing is learned beforehand: the ladder rehearses on what came before its first origin."""
        del series, rows, horizon, context, seed
        return Online(self.opened)


@dataclass(frozen=True, slots=True)
class Online:
    """Opens fresh ladders for each call, so that the same call gives the same paths."""

    opened: Callable[[], Ladder]

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N), asked in order of time."""
        width = series.values.shape[1]
        together = [list(range(width))] if width <= PLACES else [[column] for column in range(width)]
        drawn = np.zeros((len(origins), count, horizon, width))
        for columns in together:
            ladder = self.opened()
            for place in np.argsort(origins, kind="stable").tolist():
                history = history_at(series, columns, int(origins[place]))
                made = ladder.forecast(history=history, horizon=horizon, paths=count, seed=seed + int(origins[place]))
                if made is not None:
                    drawn[place][:, :, columns] = made.paths[:, :, : len(columns)]
        return drawn


def history_at(series: Series, columns: list[int], row: int) -> DemandHistory:
    """Up to three indicators of the rows before `row` as a demand history."""
    begin = max(0, row - round(MEMORY_S / series.step_s))
    places = columns + [columns[-1]] * (PLACES - len(columns))
    values = series.values[begin:row][:, places]
    return DemandHistory(series.start_s + begin * series.step_s, series.step_s, frozen(values), Trust.FRESH)
