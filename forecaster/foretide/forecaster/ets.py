"""ETS(A,Ad,N): exponential smoothing with additive errors and a damped trend (Hyndman et al. 2008, section 3.4).

Fitted to requests/s on an asinh scale. The smoothing parameters come from statsmodels and are refitted every
`refit_rows`; in between only the recursion runs. Errors are bootstrapped from the recursion's own residuals. Intervals
of log-scale ETS explode, so no path leaves the level by more than demand ever changed over as many steps, times
`SLACK`. Tokens/s follow as requests/s times stretches of recent mean lengths.

What is NOT promised: dependence between the request rate and the lengths; they are drawn independently.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from foretide.forecaster.past import Past, whole_blocks
from foretide.forecaster.tier import blocks, spread_picks
from foretide.policies.flow import REQUESTS, Floats

SLACK = 1.25
BURN_IN = 10
"""Rows from which the first level is taken, and whose errors are not believed."""
NEGLIGIBLE = 1e-6
"""Rows below this share of usual demand say nothing about lengths."""
LEVEL_ROWS = 30
"""Busy rows whose mean lengths are the present level of lengths."""


@dataclass(frozen=True, slots=True)
class Smoothing:
    """`level` (alpha), `trend` (beta) and `damping` (phi) of the recursion l += phi b + alpha e, b = phi b + beta e."""

    level: float = 0.3
    trend: float = 0.01
    damping: float = 0.9


@dataclass(slots=True)
class DampedTrend:
    """The tier, with the parameters of its last fit."""

    memory: int = 288
    needed: int = 60
    refit_rows: int = 30
    name: str = "ets"
    _fit: tuple[float, float, Smoothing] | None = field(default=None, repr=False)
    """(end of the past, step, parameters) of the last fit."""

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
        """Joint paths (count, horizon, 3); None with fewer than `needed` recent rows, or none of them busy."""
        if np.isfinite(past.filled[-self.memory :, REQUESTS]).sum() < self.needed:
            return None
        lengths = _length_paths(past, self.memory, horizon, count, rng)
        if lengths is None:
            return None
        requests = self._requests(past, horizon, count, rng)
        return np.concatenate([requests[:, :, None], requests[:, :, None] * lengths], axis=2)

    def _requests(self, past: Past, horizon: int, count: int, rng: Generator) -> Floats:
        unit = past.unit[REQUESTS]
        series = np.arcsinh(past.filled[-self.memory :, REQUESTS] / unit)
        smoothing = self._smoothing(past, series[np.isfinite(series)])
        level, trend, errors = recursion(series, smoothing)
        steps = past.age + horizon
        drawn = simulated(level, trend, smoothing, rng.choice(errors, size=(count, steps)))
        bound = SLACK * _largest_changes(series, steps)
        bounded = np.clip(drawn, level - bound, level + bound)[:, past.age :]
        return np.asarray(np.maximum(np.sinh(bounded), 0.0) * unit, dtype=np.float64)

    def _smoothing(self, past: Past, series: Floats) -> Smoothing:
        """The parameters of the last fit, or of a new one where that is old or of another grid."""
        if self._fit is not None:
            end, step, smoothing = self._fit
            if step == past.step and 0 <= past.end - end < self.refit_rows * step:
                return smoothing
        smoothing = fitted(series)
        self._fit = (past.end, past.step, smoothing)
        return smoothing


def fitted(series: Floats) -> Smoothing:
    """Maximum-likelihood parameters of the series (n,); the defaults where it is constant or the fit fails."""
    if len(series) < BURN_IN or np.ptp(series) == 0:
        return Smoothing()
    # statsmodels costs 150 MB and a second: only who gets this far pays.
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that did not converge is judged by its score, like any other
        try:
            model = ETSModel(series, error="add", trend="add", damped_trend=True, initialization_method="heuristic")
            level, trend, damping = (float(value) for value in model.fit(disp=False, maxiter=100).params[:3])
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return Smoothing()
    usable = np.isfinite([level, trend, damping]).all() and 0 < level <= 1
    return Smoothing(level, trend, damping) if usable else Smoothing()


def recursion(series: Floats, smoothing: Smoothing) -> tuple[float, float, Floats]:
    """Final level, final trend and centred one-step errors after the burn-in. NaN rows carry the state forward."""
    alpha, beta, phi = smoothing.level, smoothing.trend, smoothing.damping
    level, trend, errors = float(series[np.isfinite(series)][:BURN_IN].mean()), 0.0, []
    for value in series.tolist():
        level += phi * trend
        trend *= phi
        if value == value:  # noqa: PLR0124  (false for NaN alone, and ten times faster than asking numpy)
            error = value - level
            level += alpha * error
            trend += beta * error
            errors.append(error)
    kept = np.array(errors[BURN_IN:] or [0.0])
    return level, trend, kept - kept.mean()


def simulated(level: float, trend: float, smoothing: Smoothing, errors: Floats) -> Floats:
    """Paths of the model from its final state, driven by `errors` (K, H): (K, H)."""
    alpha, beta, phi = smoothing.level, smoothing.trend, smoothing.damping
    levels, trends = np.full(len(errors), level), np.full(len(errors), trend)
    paths = np.empty_like(errors)
    for step in range(errors.shape[1]):
        trends *= phi
        levels += trends
        error = errors[:, step]
        paths[:, step] = levels + error
        levels += alpha * error
        trends += beta * error
    return paths


def _largest_changes(series: Floats, steps: int) -> Floats:
    """Largest change ever seen over 1..steps rows (steps,); what is too long to have been seen repeats the last."""
    reach = min(steps, max(1, len(series) // 2))
    windows = np.lib.stride_tricks.sliding_window_view(series, reach + 1)
    moves = np.abs(windows[:, 1:] - windows[:, :1])
    largest = np.maximum.accumulate(np.where(np.isfinite(moves), moves, 0.0).max(axis=0))
    return np.pad(largest, (0, steps - reach), mode="edge")


def _length_paths(past: Past, memory: int, horizon: int, count: int, rng: Generator) -> Floats | None:
    """Tokens per request along the paths (count, horizon, 2): recent level x relative stretches; None if never busy."""
    rows = past.filled[-memory:]
    busy = rows[rows[:, REQUESTS] > NEGLIGIBLE * past.unit[REQUESTS]]
    if not len(busy):
        return None
    lengths = busy[:, 1:] / busy[:, :1]
    level = busy[-LEVEL_ROWS:, 1:].sum(axis=0) / busy[-LEVEL_ROWS:, :1].sum(axis=0)
    usual = lengths.mean(axis=0)
    relative = np.divide(lengths, usual, out=np.ones_like(lengths), where=usual > 0)
    length = max(1, min(horizon, len(busy) // 2))
    parts = [
        blocks(relative, spread_picks(whole_blocks(relative, length), count, rng), length)
        for _ in range(-(-horizon // length))
    ]
    return np.asarray(np.concatenate(parts, axis=1)[:, :horizon] * level, dtype=np.float64)
