"""Statistical and tree models of other libraries behind the seam: FLAIR, AutoARIMA, MSTL, LightGBM quantiles.

Each import stands where it is used; a library that is missing is said in one line. Several indicators are forecast one
by one. Models with quantiles only become joint by the Schaake shuffle.

What is NOT promised: a refit at every origin. AutoARIMA keeps the orders and coefficients of its fit and applies them
to the newest rows; FLAIR and MSTL are computed anew from the newest rows, since that is what their fit is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from foretide.forecaster.evaluate.baselines.missing import needs
from foretide.forecaster.evaluate.baselines.shuffle import shuffled
from foretide.forecaster.evaluate.baselines.windows import filled, not_below, season_rows
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

LEVELS = np.array([0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99])
MONTH_S = 28 * 86400.0
ARIMA_ROWS = 288
"""Rows that AutoARIMA is fitted to and applied to, two days of ten minutes: its cost grows with their square."""

Marginal = Callable[[Floats, int], tuple[Floats, Floats]]
"""(rows (T,), horizon) -> mean and standard deviation (H,)."""


@dataclass(frozen=True, slots=True)
class Flair:
    """FLAIR (flaircast): level times shape, ridge on the level; 4 weeks of rows."""

    name: str = "flair"

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Nothing to keep. Raises NotInstalled."""
        del rows, horizon, context, seed
        with needs(self.name, "flaircast"):
            from flaircast import forecast
        return _Flair(forecast, _flair_frequency(series.step_s), round(MONTH_S / series.step_s))


@dataclass(frozen=True, slots=True)
class _Flair:
    forecast: Callable[..., Any]
    frequency: str
    memory: int

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N), cut at zero where the series never was below."""
        rows = filled(series.values)
        drawn = np.empty((len(origins), count, horizon, rows.shape[1]))
        for place, origin in enumerate(origins.tolist()):
            for column in range(rows.shape[1]):
                past = rows[max(0, origin - self.memory) : origin, column]
                paths = self.forecast(past, horizon, self.frequency, n_samples=count, seed=seed + origin)
                drawn[place, :, :, column] = np.nan_to_num(paths, nan=float(past[-1]), posinf=past.max(), neginf=0.0)
        return not_below(drawn, series)


def _flair_frequency(step_s: float) -> str:
    minutes = round(step_s / 60)
    return "H" if minutes == 60 else "D" if minutes == 1440 else f"{max(1, minutes)}T" if minutes != 1 else "T"


@dataclass(frozen=True, slots=True)
class Statistical:
    """AutoARIMA or MSTL of statsforecast."""

    name: str

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """One model per indicator. Raises NotInstalled."""
        del horizon, context, seed
        past = filled(series.values[:rows])
        season = season_rows(series)
        with needs(self.name, "statsforecast"):
            from statsforecast.models import MSTL, AutoARIMA

            if self.name == "mstl":
                memory = 8 * season
                models = [MSTL(season_length=season).fit(past[-memory:, column]) for column in range(past.shape[1])]
            else:
                memory = ARIMA_ROWS
                models = [AutoARIMA().fit(past[-memory:, column]) for column in range(past.shape[1])]
        return _Applied(models, memory)


@dataclass(frozen=True, slots=True)
class _Applied:
    """Fitted models that are applied to the newest rows."""

    models: list[Any]
    memory: int

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Normal quantiles of each step, joint by the shuffle, cut at zero where the series never was below."""
        rows = filled(series.values)
        mean, sd = np.empty((2, len(origins), horizon, rows.shape[1]))
        for place, origin in enumerate(origins.tolist()):
            for column, model in enumerate(self.models):
                past = rows[max(0, origin - self.memory) : origin, column]
                mean[place, :, column], sd[place, :, column] = _forward(model, past, horizon)
        quantiles = mean[:, None] + sd[:, None] * stats.norm.ppf(LEVELS)[:, None, None]
        drawn = shuffled(quantiles, levels=LEVELS, series=series, origins=origins, count=count, seed=seed)
        return not_below(drawn, series)


def _forward(model: Any, past: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each step, from the 80 % interval; the last value where the library fails."""
    try:
        told = model.forward(y=past, h=horizon, level=[80])
    except (ValueError, ZeroDivisionError, np.linalg.LinAlgError):
        return np.full(horizon, past[-1]), np.full(horizon, past.std())
    width = (np.asarray(told["hi-80"]) - np.asarray(told["lo-80"])) / (2 * stats.norm.ppf(0.9))
    mean = np.asarray(told["mean"], dtype=np.float64)
    bad = ~np.isfinite(mean) | ~np.isfinite(width)
    return np.where(bad, past[-1], mean), np.where(bad, past.std(), np.maximum(width, 0.0))
