"""What the operator's metrics say about the forecasts of a target: who made them, how good they were, how honest.

What is NOT promised: a series where there is nothing to say. Before anything has matured, and where calibration is off,
the gauges of scores and coverage do not exist for the target, and stale ones are dropped.
"""

from collections.abc import Callable

from prometheus_client import Gauge

from foretide.policies.flow import DemandForecast

_TARGET = ("namespace", "name")
Told = dict[tuple[Gauge, tuple[str, ...]], float]


class ForecastTelemetry:
    """Gauges per target; names are part of the product, as those in `telemetry` are."""

    def __init__(self, gauge: Callable[..., Gauge]) -> None:
        self._ratio = gauge("forecast_crps_ratio", "CRPS over that of a naive forecast", [*_TARGET, "to"])
        self._weight = gauge("forecast_tier_weight_ratio", "Share of the paths by tier", [*_TARGET, "tier"])
        self._coverage = gauge("forecast_coverage_ratio", "Share of outcomes inside", [*_TARGET, "interval"])
        self._exceeded = gauge("forecast_peak_exceeded_ratio", "Peaks above their forecast 95 % quantile", _TARGET)
        self._alarms = gauge("forecast_drift_alarms", "Breaks noticed since the start of the forecaster", _TARGET)
        self._drifting = gauge("forecast_drift_alarm", "1 while a break widens the forecast", _TARGET)
        self._capped = gauge("forecast_capped_values", "Path values that the ceiling cut, last forecast", _TARGET)
        self._fallback = gauge("forecast_fallback", "1 while the forecast is a flagged fallback", _TARGET)
        self._stale = gauge("forecast_staleness_seconds", "Age of the newest measured bin", _TARGET)
        self._set: dict[tuple[str, str], set[tuple[Gauge, tuple[str, ...]]]] = {}
        """What is there of each target: looking for its series among all others costs more, the more targets."""

    def count(self, labels: tuple[str, str], forecast: DemandForecast) -> None:
        """Takes in a target's newest forecast; what the last one said and this one does not is dropped."""
        told: Told = {
            (self._stale, labels): forecast.stale_s,
            (self._capped, labels): float(forecast.capped),
            (self._fallback, labels): float(bool(forecast.flagged)),
            **{(self._weight, (*labels, tier)): weight for tier, weight in forecast.weights.items()},
            **self._scores(labels, forecast),
            **self._honesty(labels, forecast),
        }
        for gauge, series in self._set.get(labels, set()) - told.keys():
            gauge.remove(*series)
        for (gauge, series), value in told.items():
            gauge.labels(*series).set(value)
        self._set[labels] = set(told)

    def forget(self, labels: tuple[str, str]) -> None:
        """Drops every series of a target."""
        for gauge, series in self._set.pop(labels, set()):
            gauge.remove(*series)

    def _honesty(self, labels: tuple[str, str], forecast: DemandForecast) -> Told:
        told = forecast.reliability
        if told is None:
            return {}
        return {
            (self._coverage, (*labels, "0.8")): told.coverage80,
            (self._coverage, (*labels, "0.95")): told.coverage95,
            (self._exceeded, labels): told.peak_exceeded,
            (self._alarms, labels): float(told.alarms),
            (self._drifting, labels): float(bool(told.drift)),
        }

    def _scores(self, labels: tuple[str, str], forecast: DemandForecast) -> Told:
        score = forecast.score
        told: Told = {}
        if score is not None and score.crps_last_value > 0:
            told[self._ratio, (*labels, "last-value")] = score.crps / score.crps_last_value
        if score is not None and score.seasonal_ratio is not None:
            told[self._ratio, (*labels, "seasonal-naive")] = score.seasonal_ratio
        return told
