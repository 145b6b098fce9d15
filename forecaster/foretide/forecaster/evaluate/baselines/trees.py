"""LightGBM with the pinball loss: one boosted model per quantile over all steps, the step a feature.

Values are divided by the level of the newest hour's worth of rows, so that one model serves a series that grows.
Features: newest rows, means and spreads over several windows, the same clock time a day and a week ago, clock, step.

What is NOT promised: tuning. The settings are the library's usual ones; paths are joint by the Schaake shuffle.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.random import Generator, default_rng

from foretide.forecaster.evaluate.baselines.library import LEVELS
from foretide.forecaster.evaluate.baselines.missing import needs
from foretide.forecaster.evaluate.baselines.shuffle import shuffled
from foretide.forecaster.evaluate.baselines.windows import DAY_S, WEEK_S, filled, not_below, season_rows
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

LAGS, WINDOWS, LEVEL_ROWS = 12, (5, 15, 60, 240, 1440), 60
EXAMPLES = 40_000
"""Pairs of window and step; divided among several indicators."""
ROUNDS = 200
SETTINGS: Final = {"learning_rate": 0.05, "num_leaves": 31, "min_data_in_leaf": 40, "verbosity": -1}


@dataclass(frozen=True, slots=True)
class Trees:
    """A `Model`."""

    name: str = "lightgbm-quantiles"
    threads: int = 1

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """A model per quantile and indicator on at most EXAMPLES pairs of window and step. Raises NotInstalled."""
        del context
        with needs(self.name, "lightgbm"):
            from lightgbm import Dataset, train
        grown = []
        for column in range(len(series.columns)):
            inputs, outcome = _examples(series, rows, column, horizon, default_rng([seed, column]))
            settings = SETTINGS | {"objective": "quantile", "seed": seed, "num_threads": self.threads}
            grown.append(
                [train(settings | {"alpha": alpha}, Dataset(inputs, outcome), ROUNDS) for alpha in LEVELS.tolist()]
            )
        return _Grown(grown)


def _examples(series: Series, rows: int, column: int, horizon: int, rng: Generator) -> tuple[Floats, Floats]:
    """Random windows and steps of the first `rows` rows whose outcome was measured: features and outcome over level."""
    past, count = filled(series.values[:rows]), max(4000, EXAMPLES // len(series.columns))
    first = min(LEVEL_ROWS, rows // 2)
    origins = rng.integers(first, max(first + 1, rows - horizon), count)
    steps = rng.integers(0, horizon, count)
    ends = np.minimum(origins + steps, rows - 1)
    known = np.isfinite(series.values[ends, column])
    inputs, level = _features(past[:, column], series, origins, steps)
    return inputs[known], (past[ends, column] / level)[known]


@dataclass(frozen=True, slots=True)
class _Grown:
    models: list[list[Any]]

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N), never below zero where the series never was."""
        rows = filled(series.values)
        every, steps = np.repeat(origins, horizon), np.tile(np.arange(horizon), len(origins))
        columns = []
        for column, models in enumerate(self.models):
            inputs, level = _features(rows[:, column], series, every, steps)
            told = np.stack([model.predict(inputs) * level for model in models])
            columns.append(told.reshape(len(LEVELS), len(origins), horizon).transpose(1, 0, 2))
        drawn = shuffled(
            np.stack(columns, axis=3), levels=LEVELS, series=series, origins=origins, count=count, seed=seed
        )
        return not_below(drawn, series)


def _features(values: Floats, series: Series, origins: Indices, steps: Indices) -> tuple[Floats, Floats]:
    """(n, features) from rows before each origin alone, and the level (n,) by which they are divided."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values**2)])

    def mean(total: Floats, width: int) -> Floats:
        begin = np.maximum(origins - width, 0)
        return (total[origins] - total[begin]) / np.maximum(origins - begin, 1)

    level = mean(sums, LEVEL_ROWS)
    level = np.where(level > 0, level, 1e-3 * max(float(np.abs(values[: origins.min()]).mean()), 1e-9))
    told = [values[np.maximum(origins - lag, 0)] / level for lag in range(1, LAGS + 1)]
    for width in WINDOWS:
        average = mean(sums, width)
        spread = np.sqrt(np.maximum(mean(squares, width) - average**2, 0.0))
        told += [average / level, spread / level]
    for season_s in (DAY_S, WEEK_S):
        season = season_rows(series, season_s)
        back = origins + steps - season * (steps // season + 1)
        there = np.where(back >= 0, values[np.maximum(back, 0)] / level, np.nan)
        told.append(there)
    clock = (series.start_s + (origins + steps) * series.step_s) / DAY_S
    told += [np.sin(2 * np.pi * clock), np.cos(2 * np.pi * clock), np.floor(clock) % 7, steps.astype(np.float64)]
    return np.column_stack(told), level
