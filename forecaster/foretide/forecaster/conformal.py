"""Adaptive conformal control of one number: the peak of work over the horizon, the number that decisions depend on.

The level is moved by its own errors: up by `gain` times the target after a peak above it, down by the rest otherwise
(Gibbs and Candes 2021, equation 2). Over any T outcomes, whatever they are and however they drift, the share above the
level differs from alpha = 1 - target by at most (max(alpha_1, 1 - alpha_1) + gamma) / (gamma T) (their lemma 4.1), and
with outcomes known D forecasts late and ranks that go on to `REACH` by `error_bound`.

What is NOT promised: coverage at any given time, nor a forecast that reaches to infinity: paths are bounded by the
ladder's ceiling, and a level below the median pulls peaks to the median and no further, which errs to the safe side.
"""

from dataclasses import dataclass

import numpy as np

from foretide.forecaster.ranks import REACH, values_at
from foretide.policies.flow import Floats

TARGET = 0.95
NEGLIGIBLE = 1e-12


@dataclass(slots=True)
class AdaptiveLevel:
    """The extended rank at which the nominal quantile `target` is read off the forecast."""

    target: float = TARGET
    gain: float = 0.02
    level: float = TARGET

    def add(self, *, exceeded: bool, gain: float | None = None) -> None:
        """Enters whether the outcome lay above the level that was in force when its forecast was made."""
        self.level += (self.gain if gain is None else gain) * (float(exceeded) - (1.0 - self.target))

    def exceeded_by(self, rank: float, *, level: float) -> bool:
        """Whether an outcome of this extended rank lies above `level`. Beyond both ends the answer is certain."""
        return level < -REACH or (rank > level and level < 1.0 + REACH)


def error_bound(*, target: float, gain: float, count: int, delay: int = 0, reach: float = REACH) -> float:
    """Largest |share above the level - alpha| over `count` outcomes, each known `delay` forecasts late.

    The level stays within [-reach - (delay + 1) gain, 1 + reach + (delay + 1) gain], as it turns once no outcome can
    exceed it, or all do, and those already on their way have come in. The sum of its steps telescopes; the last `delay`
    forecasts have not been counted by it. With delay = reach = 0 this is Gibbs and Candes' lemma 4.1.
    """
    widest = max(target, 1.0 - target) + reach + (delay + 1) * gain
    return (widest / gain + delay) / count


def peaks(paths: Floats, weights: Floats) -> Floats:
    """Peak work (K,) of demand paths (K, H, N); `weights` (N,) is the work of one unit of each indicator."""
    return np.asarray((paths @ weights).max(axis=1), dtype=np.float64)


def stretched(paths: Floats, weights: Floats, *, target: float, level: float) -> Floats:
    """The paths (K, H, N) with their peaks above the median stretched so that quantile `target` is what `level` was.

    A path is scaled as a whole, so the order of peaks, the indicators' ratios and the shape over time stay. Levels
    beyond the ranks' reach mean "nothing is sure to be enough": the caller's ceiling ends that.
    """
    peak = peaks(paths, weights)
    ascending = np.sort(peak)
    middle = float(np.median(peak))
    wanted, nominal = values_at(ascending, np.clip([level, target], -REACH, 1.0 + REACH))
    if nominal - middle <= NEGLIGIBLE * abs(middle) or nominal <= middle:
        return paths
    factor = max(0.0, float(wanted) - middle) / (float(nominal) - middle)
    scale = np.ones_like(peak)
    tall = peak > middle
    scale[tall] = (middle + factor * (peak[tall] - middle)) / peak[tall]
    return np.asarray(paths * scale[:, None, None], dtype=np.float64)
