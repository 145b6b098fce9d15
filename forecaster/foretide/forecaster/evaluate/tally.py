"""All losses of one model on one series, gathered origin by origin, and the figures that a summary shows.

Indicators weigh alike in wQL, MASE and costs, each divided by its own size over the scored rows; one that was zero all
along counts for nothing there. CRPS and squared errors are means in the protocol's unit.

What is NOT promised: joint scores where outcomes are missing. Those origins have none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretide.forecaster.evaluate import decision, scores
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

TAIL = (0.95, 0.99)
CHUNK = 64
"""Origins scored at a time, to bound memory."""


@dataclass(slots=True)
class Tally:
    """Losses by name, each a list of arrays whose first axis is the origin."""

    parts: dict[str, list[Floats]] = field(default_factory=dict)

    def add(self, *, paths: Floats, actual: Floats, seed: int) -> None:
        """Enters the paths (O, K, H, N) of some origins and their outcomes (O, H, N)."""
        for begin in range(0, len(paths), CHUNK):
            part = slice(begin, begin + CHUNK)
            for name, values in _losses(paths[part], actual[part], seed + begin).items():
                self.parts.setdefault(name, []).append(values)

    def whole(self) -> dict[str, Floats]:
        return {name: np.concatenate(values) for name, values in self.parts.items()}


def _losses(paths: Floats, actual: Floats, seed: int) -> dict[str, Floats]:
    peak = decision.peaks(actual)
    found = {
        "crps": scores.crps(paths=paths, actual=actual),
        "squared": scores.squared_error(paths=paths, actual=actual),
        "absolute": scores.absolute_error(paths=paths, actual=actual),
        "quantile": scores.quantile_loss(paths=paths, actual=actual),
        "actual": np.abs(actual),
        "pit": scores.pit(paths=paths, actual=actual, seed=seed),
        "crps_sum": scores.crps_sum(paths=paths, actual=actual),
        "energy": scores.energy(paths=paths, actual=actual, seed=seed),
        "variogram": scores.variogram(paths=paths, actual=actual),
        "peak": peak,
        "peak_pit": scores.pit(paths=decision.peaks(paths), actual=peak, seed=seed),
        "exceeded": decision.exceeded(paths=paths, peak=peak),
    }
    for level in scores.LEVELS:
        found[f"coverage{level * 100:.0f}"] = scores.covered(paths=paths, actual=actual, level=level)
        found[f"peak_coverage{level * 100:.0f}"] = scores.covered(paths=decision.peaks(paths), actual=peak, level=level)
    for tail in TAIL:
        found[f"peak_pinball{tail * 100:.0f}"] = decision.peak_pinball(paths=paths, peak=peak, quantile=tail)
    for ratio in decision.RATIOS:
        provided = decision.capacity(paths=paths, quantile=decision.quantile_of(ratio))
        found[f"cost{ratio:.0f}"] = decision.cost(provided=provided, peak=peak, ratio=ratio)
    return found


def figures(losses: Mapping[str, Floats], *, seasonal_error: Floats) -> dict[str, float]:
    """The figures of summary.json. `seasonal_error` (N,) is the mean error of a day ago over the training rows."""
    usual, peak = _mean(losses["actual"], axis=(0, 1)), _mean(losses["peak"], axis=0)
    told = {
        "crps": _mean(losses["crps"]),
        "wql": _alike(_mean(losses["quantile"], axis=(0, 1)), usual),
        "mase": _alike(_mean(losses["absolute"], axis=(0, 1)), seasonal_error),
        "mse": _mean(losses["squared"]),
        "crps_sum": _mean(losses["crps_sum"]),
        "energy": _mean(losses["energy"]),
        "variogram": _mean(losses["variogram"]),
        "pit_deviation": scores.pit_deviation(losses["pit"]),
        "peak_pit_deviation": scores.pit_deviation(losses["peak_pit"]),
        "peak_q95_exceeded": _mean(losses["exceeded"]),
        "decision_cost": _alike(_mean(losses["cost19"], axis=0), peak),
        "decision_cost_4": _alike(_mean(losses["cost4"], axis=0), peak),
        "decision_cost_99": _alike(_mean(losses["cost99"], axis=0), peak),
    }
    for level in scores.LEVELS:
        for kind in ("coverage", "peak_coverage"):
            told[f"{kind}{level * 100:.0f}"] = _mean(losses[f"{kind}{level * 100:.0f}"])
    for tail in TAIL:
        name = f"peak_pinball{tail * 100:.0f}"
        told[name] = _alike(_mean(losses[name], axis=0), peak)
    return {name: float(value) for name, value in told.items()}


def by_origin(losses: Mapping[str, Floats]) -> dict[str, list[float]]:
    """What intervals and tests need, one number per origin: its CRPS, its part of the wQL and of the cost."""
    usual, usual_peak = _mean(losses["actual"], axis=(0, 1)), _mean(losses["peak"], axis=0)
    rows = {
        "crps": _mean(losses["crps"], axis=(1, 2)),
        "wql": _shares(_mean(losses["quantile"], axis=1), usual),
        "decision_cost": _shares(losses["cost19"], usual_peak),
        "exceeded": _mean(losses["exceeded"], axis=1),
    }
    return {name: _short(values) for name, values in rows.items()}


def by_step(losses: Mapping[str, Floats]) -> dict[str, list[float]]:
    """Coverage and CRPS at each step of the horizon, over origins and indicators."""
    names = ["crps", *(f"coverage{level * 100:.0f}" for level in scores.LEVELS)]
    return {name: _short(_mean(losses[name], axis=(0, 2))) for name in names}


def seasonal_error(rows: Floats, *, season: int) -> Floats:
    """Mean absolute difference from `season` rows before (N,), over training rows; from the row before if too short."""
    lag = season if 0 < season < len(rows) else 1
    return np.asarray(_mean(np.abs(rows[lag:] - rows[:-lag]), axis=0), dtype=np.float64)


def outcomes(values: Floats, *, origins: Indices, horizon: int) -> Floats:
    """The rows from each origin on (O, H, N)."""
    return np.asarray(values[origins[:, None] + np.arange(horizon)], dtype=np.float64)


def _mean(values: Floats, axis: Any = None) -> Any:
    """Mean over what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _alike(losses: Floats, sizes: Floats) -> float:
    """Mean over indicators of loss over size, those of size zero left out."""
    counts = np.isfinite(sizes) & (sizes > 0)
    return float((losses[counts] / sizes[counts]).mean()) if counts.any() else float("nan")


def _shares(losses: Floats, sizes: Floats) -> Floats:
    """The same per origin: (O, N) -> (O,)."""
    counts = np.isfinite(sizes) & (sizes > 0)
    return np.asarray(_mean(losses[:, counts] / sizes[counts], axis=1), dtype=np.float64)


def _short(values: Sequence[float] | Floats) -> list[float]:
    """Six significant digits: a file for a person, and a figure no one can tell apart."""
    return [float(f"{value:.6g}") for value in np.asarray(values).tolist()]
