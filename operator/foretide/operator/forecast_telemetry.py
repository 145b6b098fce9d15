"""What the operator's metrics say about the forecasts of a target: who made them, how good they were, how honest.

What is NOT promised: a series where there is nothing to say. Before anything has matured, and where calibration is off,
the gauges of scores and coverage do not exist for the target, and stale ones are dropped.
"""

from collections.abc import Callable

from prometheus_client import Gauge

from foretide.policies.flow import DemandForecast

_TARGET = ("namespace", "name")


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
        self._gauges = (
            self._ratio, self._weight, self._coverage, self._exceeded, self._alarms, self._drifting, self._capped,
            self._fallback, self._stale,
        )  # fmt: skip

    def count(self, labels: tuple[str, str], forecast: DemandForecast) -> None:
        """Takes in a target's newest forecast; what the last one said and this one does not is dropped."""
        self.forget(labels)
        self._stale.labels(*labels).set(forecast.stale_s)
        self._capped.labels(*labels).set(forecast.capped)
        self._fallback.labels(*labels).set(float(bool(forecast.flagged)))
        for tier, weight in forecast.weights.items():
            self._weight.labels(*labels, tier).set(weight)
        self._count_score(labels, forecast)
        if forecast.reliability is not None:
            told = forecast.reliability
            self._coverage.labels(*labels, "0.8").set(told.coverage80)
            self._coverage.labels(*labels, "0.95").set(told.coverage95)
            self._exceeded.labels(*labels).set(told.peak_exceeded)
            self._alarms.labels(*labels).set(told.alarms)
            self._drifting.labels(*labels).set(float(bool(told.drift)))

    def forget(self, labels: tuple[str, str]) -> None:
        """Drops every series of a target."""
        for gauge in self._gauges:
            gauge.remove_by_labels(dict(zip(_TARGET, labels, strict=True)))

    def _count_score(self, labels: tuple[str, str], forecast: DemandForecast) -> None:
        if forecast.score is None:
            return
        if forecast.score.crps_last_value > 0:
            self._ratio.labels(*labels, "last-value").set(forecast.score.crps / forecast.score.crps_last_value)
        if forecast.score.seasonal_ratio is not None:
            self._ratio.labels(*labels, "seasonal-naive").set(forecast.score.seasonal_ratio)
