"""Adaptive conformal control: the distance of quantiles from the median is stretched until they cover as they claim.

The logarithm of a stretch goes up by `gain` times the target after an outcome beyond the quantile, and down by the rest
otherwise: adaptive conformal inference (Gibbs and Candes 2021, equation 2) on a log-scaled score instead of on a rank.
A rank near 1 moves the far tail of a heavy-tailed forecast by leaps; a stretch moves it by percents. Over any T
outcomes, whatever they are and however they drift, the share beyond a quantile differs from its nominal alpha by at
most (theta + gamma) / (gamma T), where theta is the largest log-stretch that ever matters (their lemma 4.1, with theta
in place of max(alpha_1, 1 - alpha_1)), and with outcomes known D forecasts late by `error_bound`. The peak of work over
the horizon, the number that decisions depend on, is controlled so; and the margins of every step by `calibration`.

What is NOT promised: coverage at any given time; a forecast that reaches to infinity, since the ladder's ceiling ends
what a stretch may do; nor tight quantiles where every outcome stays on the near side of the median.
"""

from dataclasses import dataclass, field

import numpy as np

from foretide.policies.flow import Floats

PEAK_TARGETS = (0.8, 0.95, 0.99)
"""Quantiles of the peak that are held; 0.95 is the one that is reported."""
LIMIT = 5.0
"""Log-stretch, e^5 = 150 times, beyond which every outcome counts as covered, and below whose negative none does."""
NEGLIGIBLE = 1e-12


@dataclass(slots=True)
class AdaptiveStretch:
    """Log-stretches of the distance from the median to the quantiles `targets`, ascending, all on one side of it."""

    targets: tuple[float, ...]
    gain: float = 0.1
    logs: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.logs = np.zeros(len(self.targets))

    def add(self, beyond: Floats, *, gain: float | None = None) -> None:
        """Enters the share of the outcomes of one forecast (0 or 1 for a single one) beyond each quantile (L,)."""
        nominal = 0.5 - np.abs(np.array(self.targets) - 0.5)
        self.logs = self.logs + (self.gain if gain is None else gain) * (beyond - nominal)

    def beyond(self, ranks: Floats, *, logs: Floats) -> Floats:
        """Whether outcomes of these ranks (S,) among the served paths lay beyond each quantile (S, L): 1 or 0.

        `logs` are the log-stretches that were in force. Past the limits the answer is certain.
        """
        targets = np.array(self.targets)
        outside = np.where(targets > 0.5, ranks[:, None] > targets, ranks[:, None] < targets)
        return ((logs < -LIMIT) | (outside & (logs <= LIMIT))).astype(np.float64)

    def factors(self, ranks: Floats) -> Floats:
        """The stretch at each rank (R,): between the targets interpolated, outside them that of the nearest."""
        return np.exp(np.interp(ranks, self.targets, np.clip(self.logs, -LIMIT, LIMIT)))


def error_bound(*, gain: float, count: int, delay: int = 0, limit: float = LIMIT) -> float:
    """Largest |share beyond the quantile - alpha| over `count` outcomes, each known `delay` forecasts late.

    The log-stretch stays within limit + (delay + 1) gain of zero, as it turns once no outcome counts as beyond it, or
    all do, and those already on their way have come in. The sum of its steps telescopes; the last `delay` forecasts
    have not been counted by it.
    """
    return ((limit + (delay + 1) * gain) / gain + delay) / count


def peaks(paths: Floats, weights: Floats) -> Floats:
    """Peak work (K,) of demand paths (K, H, N); `weights` (N,) is the work of one unit of each indicator."""
    return np.asarray((paths @ weights).max(axis=1), dtype=np.float64)


def stretched(paths: Floats, weights: Floats, *, control: AdaptiveStretch) -> Floats:
    """The paths (K, H, N) with the distance of their peaks above the median stretched as the control says.

    A path is scaled as a whole, so the order of peaks, the indicators' ratios and the shape over time stay.
    """
    peak = peaks(paths, weights)
    order = np.argsort(peak, kind="stable")
    ascending = peak[order]
    middle = float(np.median(peak))
    tall = (ascending > middle) & (ascending > NEGLIGIBLE)
    factors = control.factors((np.arange(len(peak)) + 0.5) / len(peak))
    wanted = np.maximum.accumulate(middle + factors * np.maximum(ascending - middle, 0.0))
    scale = np.ones_like(peak)
    scale[order[tall]] = wanted[tall] / ascending[tall]
    return np.asarray(paths * scale[:, None, None], dtype=np.float64)
