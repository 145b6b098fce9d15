"""A workload that is not old yet: every model sees only the newest rows before an origin, as if nothing came before.

It answers how good a forecast is ten minutes, two hours or a day after a workload has started, on any long series.

What is NOT promised: that a model which learns is worth asking so early. It is fitted at each origin on what it sees.
"""

from dataclasses import dataclass, replace

import numpy as np

from foretide.forecaster.evaluate.baselines.catalogue import Entry
from foretide.forecaster.evaluate.model import Fitted, Model, Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats


@dataclass(frozen=True, slots=True)
class Young:
    """A `Model` that hides all but `history` rows from another one."""

    model: Model
    history: int

    @property
    def name(self) -> str:
        return self.model.name

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Nothing yet: there is no row that all origins may see."""
        del series, rows, horizon
        return _Hidden(self.model, self.history, context, seed)


@dataclass(frozen=True, slots=True)
class _Hidden:
    model: Model
    history: int
    context: int
    seed: int

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N), each origin alone with its own short past."""
        drawn = [self._one(series, origin, horizon, count, seed) for origin in origins.tolist()]
        return np.concatenate(drawn)

    def _one(self, series: Series, origin: int, horizon: int, count: int, seed: int) -> Floats:
        begin = max(0, origin - self.history)
        seen = replace(
            series, start_s=series.start_s + begin * series.step_s, values=series.values[begin : origin + horizon]
        )
        rows = origin - begin
        fitted = self.model.fit(series=seen, rows=rows, horizon=horizon, context=self.context, seed=self.seed)
        alone = np.array([rows], dtype=np.int64)
        return fitted.paths(series=seen, origins=alone, horizon=horizon, count=count, seed=seed + origin)


def hidden(entry: Entry, history: int) -> Entry:
    """The competitor with all but its newest `history` rows hidden; itself where that is 0."""

    def opened() -> Model:
        return Young(entry.opened(), history)

    return replace(entry, opened=opened, learns=False) if history else entry
