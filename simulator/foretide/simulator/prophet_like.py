"""The fourth predictor of NVIDIA Dynamo's planner: Prophet with its defaults, fitted to the last 50 values each time.

Within 50 intervals of the planner there is neither a week nor two days, so that Prophet switches all its seasons off
(prophet/forecaster.py, set_auto_seasonalities) and what is left is its trend: a straight line with up to 25 bends in
the first 80 % of the values, at the maximum of the posterior with its priors: slope and level N(0, 5), bends
Laplace(0.05), noise half-normal(0.5), values scaled by the largest, time to [0, 1].

What is NOT promised: Prophet itself. It is a package of its own with a compiled model; figures of the real one stand in
the tests. Values at uneven intervals, holidays, caps and its intervals are left out.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, minimize

from foretide.policies.flow import Floats
from foretide.simulator.predictors import NEEDED, Constant

WINDOW = 50
"""`prophet_window_size`."""
BENDS, BENDING_SHARE = 25, 0.8
LINE_PRIOR, BEND_PRIOR, NOISE_PRIOR = 5.0, 0.05, 0.5
LEAST_NOISE = 1e-4


class ProphetLike(Constant):
    """The trend alone; the last value again before there are five."""

    def predict(self, steps: int = 1) -> Floats | None:
        values = np.array(self.values[-WINDOW:])
        if len(values) < NEEDED:
            return super().predict(steps)
        trend = fitted_trend(values)
        ahead = 1.0 + np.arange(1, steps + 1) / (len(values) - 1)
        return np.asarray(np.maximum(0.0, trend.at(ahead)), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """A straight line with bends, over time scaled to [0, 1]."""

    level: float
    slope: float
    bends_at: Floats
    bends: Floats
    scale: float

    def at(self, times: Floats) -> Floats:
        return np.asarray(self.scale * (_basis(times, self.bends_at) @ np.r_[self.level, self.slope, self.bends]))


def fitted_trend(values: Floats) -> Trend:
    """The trend with the largest posterior density. Needs two values at least."""
    scale = float(np.abs(values).max()) or 1.0
    scaled, times = values / scale, np.linspace(0.0, 1.0, len(values))
    bends_at = times[_bend_indices(len(values))]
    count = len(bends_at)
    start = np.r_[scaled[0], scaled[-1] - scaled[0], np.zeros(2 * count), np.log(0.1)]
    free, parts = [-np.inf, -np.inf], [0.0] * (2 * count)
    bounds = Bounds(np.array([*free, *parts, np.log(LEAST_NOISE)]), np.full(len(start), np.inf))
    posterior = _Posterior(_basis(times, bends_at), scaled)
    best = minimize(
        posterior,
        start,
        jac=True,
        bounds=bounds,
        method="L-BFGS-B",
        options={"maxiter": 2000, "maxfun": 20000, "maxcor": 30, "ftol": 1e-12, "gtol": 1e-8},
    ).x
    return Trend(float(best[0]), float(best[1]), bends_at, best[2 : 2 + count] - best[2 + count : -1], scale)


@dataclass(frozen=True, slots=True, eq=False)
class _Posterior:
    """Minus the log density, and its gradient, of level, slope, bends and the logarithm of the noise.

    Bends come as the differences of two parts, neither of them negative: so there is no corner at zero.
    """

    basis: Floats
    values: Floats

    def __call__(self, given: Floats) -> tuple[float, Floats]:
        line, (up, down), log_noise = given[:2], np.split(given[2:-1], 2), given[-1]
        variance, size = float(np.exp(2 * log_noise)), len(self.values)
        left = self.basis @ np.r_[line, up - down] - self.values
        squares = float(left @ left)
        density = size * log_noise + squares / (2 * variance) + variance / (2 * NOISE_PRIOR**2)
        density += line @ line / (2 * LINE_PRIOR**2) + (up.sum() + down.sum()) / BEND_PRIOR
        slope = self.basis.T @ left / variance
        by_noise = size - squares / variance + variance / NOISE_PRIOR**2
        by_line, by_bends = slope[:2] + line / LINE_PRIOR**2, slope[2:]
        return float(density), np.r_[by_line, by_bends + 1 / BEND_PRIOR, 1 / BEND_PRIOR - by_bends, by_noise]


def _bend_indices(count: int) -> list[int]:
    """Evenly over the first share of the values, not at the very first."""
    room = int(count * BENDING_SHARE)
    bends = min(BENDS, room - 1)
    return [int(index) for index in np.linspace(0, room - 1, bends + 1).round()[1:]]


def _basis(times: Floats, bends_at: Floats) -> Floats:
    bent = np.maximum(0.0, times[:, None] - bends_at[None, :])
    return np.column_stack([np.ones_like(times), times, bent])
