"""What is foreseen: joint demand paths, how well such forecasts turned out, and how far they may be relied on.

What is NOT promised: that a forecast without a score is worse than one with. It is unscored, and says so.
"""

from dataclasses import dataclass

from foretide.policies.service import Floats


@dataclass(frozen=True, slots=True)
class ForecastScore:
    """Mean CRPS of matured forecasts of requests/s, and of last value on the same origins; `origins` is how many."""

    crps: float
    crps_last_value: float
    origins: int
    seasonal_ratio: float | None = None
    """CRPS over that of the value one season before, on origins where that is known; None where it never was."""

    @property
    def skill(self) -> float:
        """1 - CRPS / CRPS of last value; negative where the forecast loses."""
        return 1.0 - self.crps / self.crps_last_value if self.crps_last_value > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Reliability:
    """How honest the intervals of calibrated forecasts were so far, with forgetting; shares in [0, 1]."""

    coverage80: float
    """Share of measured steps inside the central 80 % interval of requests/s."""
    coverage95: float
    peak_exceeded: float
    """Share of horizons whose peak work lay above the forecast's 95 % quantile of it; 0.05 is right."""
    peak_stretch: float
    """How far that quantile now lies from the median, over the distance without correction; 1 is none."""
    origins: int
    alarms: int = 0
    """Breaks of the demand's behaviour that were noticed since the start."""
    drift: str = ""
    """The latest break in words, while it still widens the forecast; empty otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class DemandForecast:
    """Joint demand paths: `paths` has shape (K, H, 3), per second; step h covers [made_at + h*step, + step)."""

    made_at: float
    step: float
    paths: Floats
    weights: dict[str, float]
    """Model name -> share of the paths it contributed; sums to 1."""
    score: ForecastScore | None = None
    flagged: str = ""
    """Why the forecast is a fallback, in words; empty when it is not."""
    reliability: Reliability | None = None
    """None where calibration is off, or nothing has matured yet."""
    stale_s: float = 0.0
    """Seconds from the end of the newest measured bin to `made_at`."""
    capped: int = 0
    """Numbers of the served paths that the learned ceiling cut."""

    @property
    def model(self) -> str:
        return max(self.weights, key=lambda name: self.weights[name]) if self.weights else "none"

    @property
    def horizon(self) -> float:
        return self.step * int(self.paths.shape[1])
