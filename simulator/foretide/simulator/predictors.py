"""One-step predictors of a single series, as NVIDIA Dynamo's planner uses them: constant, ARIMA, Kalman.

After components/src/dynamo/planner/core/load/predictors.py (ai-dynamo/dynamo): leading zeros are skipped, a value that
is no number counts as idle, predictions are not negative. ARIMA: order by AIC over p, q <= 2, once with the first five
values; only its parameters are fitted again later; a choice without p and q is made anew on log(1 + y). Kalman: local
linear trend, q_level 1, q_trend 0.1, r 10.

What is NOT promised: auto_arima's own stepwise search; statsmodels tries the few orders one by one, with d by a KPSS
test. The fourth of Dynamo's predictors is in `prophet_like`.
"""

import warnings
from math import isfinite, log1p
from typing import Any, Protocol

import numpy as np

from foretide.policies.flow import Floats

NEEDED = 5
REMEMBERED = 480
"""Values that ARIMA is fitted to: a day of Dynamo's intervals."""
ORDERS = tuple((p, q) for p in range(3) for q in range(3))


class Predictor(Protocol):
    """Takes values one by one, at even intervals, and says what comes next."""

    def add(self, value: float) -> None: ...

    def rest(self) -> None:
        """Zeros that follow are skipped, up to the next value that is none: live traffic has not begun."""
        ...

    def predict(self, steps: int = 1) -> Floats | None:
        """The next `steps` values, (steps,), none negative; None before the first value."""
        ...


class Constant:
    """The last value again."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self._resting = True

    def rest(self) -> None:
        self._resting = True

    def add(self, value: float) -> None:
        known = value if isfinite(value) else 0.0
        self._resting = self._resting and known == 0
        if not self._resting:
            self.values.append(max(0.0, known))

    def predict(self, steps: int = 1) -> Floats | None:
        return np.full(steps, self.values[-1]) if self.values else None


class Arima(Constant):
    """ARIMA, its order chosen once; the last value again before there is enough, or where no fit works."""

    def __init__(self) -> None:
        super().__init__()
        self._order: tuple[int, int, int] | None = None
        self._logs = False
        self._parameters: Floats | None = None

    def predict(self, steps: int = 1) -> Floats | None:
        values = np.array(self.values[-REMEMBERED:])
        if len(values) < NEEDED or np.ptp(values) == 0:
            return super().predict(steps)
        if self._order is None:
            self._choose(values)
        forecast = self._forecast(values, steps)
        return super().predict(steps) if forecast is None else forecast

    def _choose(self, values: Floats) -> None:
        self._order = best_order(values)
        if self._order[0] == self._order[2] == 0:
            self._logs, self._order = True, best_order(np.log1p(values))

    def _forecast(self, values: Floats, steps: int) -> Floats | None:
        series = np.log1p(values) if self._logs else values
        fit = _fitted(series, self._order or (0, 1, 0), self._parameters)
        if fit is None:
            return None
        self._parameters = np.asarray(fit.params)
        ahead = np.asarray(fit.forecast(steps), dtype=np.float64)
        # Beyond any load ever seen, a log-scale forecast is a fit gone wrong, not a forecast.
        ahead = np.expm1(np.minimum(ahead, series.max() + 1.0)) if self._logs else ahead
        return np.asarray(np.maximum(ahead, 0.0), dtype=np.float64) if np.isfinite(ahead).all() else None


class Kalman:
    """A local linear trend, filtered."""

    def __init__(self, *, q_level: float = 1.0, q_trend: float = 0.1, r: float = 10.0, logs: bool = False) -> None:
        self._state: Floats | None = None
        self._spread = np.eye(2) * 1000.0
        self._step = np.array([[1.0, 1.0], [0.0, 1.0]])
        self._noise, self._r, self._logs = np.diag([q_level, q_trend]), r, logs
        self._resting = True

    def rest(self) -> None:
        self._resting = True

    def add(self, value: float) -> None:
        known = max(0.0, value) if isfinite(value) else 0.0
        self._resting = self._resting and known == 0
        if self._resting:
            return
        if self._state is None:
            self._state = np.array([log1p(known) if self._logs else known, 0.0])
            return
        state = self._step @ self._state
        spread = self._step @ self._spread @ self._step.T + self._noise
        gain = spread[:, 0] / (spread[0, 0] + self._r)
        self._state = state + gain * ((log1p(known) if self._logs else known) - state[0])
        self._spread = spread - np.outer(gain, spread[0])

    def predict(self, steps: int = 1) -> Floats | None:
        if self._state is None:
            return None
        ahead = self._state[0] + self._state[1] * np.arange(1, steps + 1)
        return np.asarray(np.maximum(0.0, np.expm1(ahead) if self._logs else ahead), dtype=np.float64)


def best_order(values: Floats) -> tuple[int, int, int]:
    """(p, d, q) of the smallest AIC with p, q <= 2; d is 0 where a KPSS test does not refuse a constant level."""
    differences = 0 if _level(values) else 1
    fits = [((p, differences, q), _fitted(values, (p, differences, q), None)) for p, q in ORDERS]
    scored = [(float(fit.aic), order) for order, fit in fits if fit is not None and isfinite(fit.aic)]
    return min(scored)[1] if scored else (0, 1, 0)


def _level(values: Floats) -> bool:
    from statsmodels.tsa.stattools import kpss

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # beyond its tables a p-value is only a bound, which is enough
        try:
            return float(kpss(values, regression="c", nlags="auto")[1]) > 0.05
        except (ValueError, ArithmeticError, OverflowError, np.linalg.LinAlgError):
            return False


def _fitted(values: Floats, order: tuple[int, int, int], start: Floats | None) -> Any | None:
    # statsmodels costs 150 MB and a second: only who gets this far pays.
    from statsmodels.tsa.arima.model import ARIMA

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that did not converge is judged by its AIC, like any other
        try:
            return ARIMA(values, order=order).fit(start_params=start, cov_type="none", method_kwargs={"maxiter": 50})
        except (ValueError, ArithmeticError, IndexError, np.linalg.LinAlgError):
            return None
