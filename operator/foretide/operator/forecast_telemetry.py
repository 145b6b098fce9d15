"""What the operator's metrics say about the forecasts of a target: who made them, how good they were, how honest.

What is NOT promised: a series where there is nothing to say. Before anything has matured, and where calibration is off,
the gauges of scores and coverage do not exist for the target, and stale ones are dropped.
"""

from collections.abc import Callable, Iterator

from prometheus_client import Gauge

from foretide.policies.flow import DemandForecast

_TARGET = ("namespace", "name")
Series = tuple[Gauge, tuple[str, ...]]


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
        self._told: dict[tuple[str, str], dict[Series, float]] = {}

    def count(self, labels: tuple[str, str], forecast: DemandForecast) -> None:
        """Takes in a target's newest forecast; what the last one said and this one does not is dropped."""
        told = {(gauge, (*labels, *further)): value for gauge, further, value in self._said(forecast)}
        for gauge, series in self._told.get(labels, {}).keys() - told.keys():
            gauge.remove(*series)
        for (gauge, series), value in told.items():
            gauge.labels(*series).set(value)
        self._told[labels] = told

    def forget(self, labels: tuple[str, str]) -> None:
        """Drops every series of a target."""
        # By name: `remove_by_labels` looks at every series of every target.
        for gauge, series in self._told.pop(labels, {}):
            gauge.remove(*series)

    def _said(self, forecast: DemandForecast) -> Iterator[tuple[Gauge, tuple[str, ...], float]]:
        """Each gauge with its labels beyond the target's, and its value."""
        yield self._stale, (), forecast.stale_s
        yield self._capped, (), forecast.capped
        yield self._fallback, (), float(bool(forecast.flagged))
        for tier, weight in forecast.weights.items():
            yield self._weight, (tier,), weight
        score, told = forecast.score, forecast.reliability
        if score is not None and score.crps_last_value > 0:
            yield self._ratio, ("last-value",), score.crps / score.crps_last_value
        if score is not None and score.seasonal_ratio is not None:
            yield self._ratio, ("seasonal-naive",), score.seasonal_ratio
        if told is not None:
            yield self._coverage, ("0.8",), told.coverage80
            yield self._coverage, ("0.95",), told.coverage95
            yield self._exceeded, (), told.peak_exceeded
            yield self._alarms, (), told.alarms
            yield self._drifting, (), float(bool(told.drift))
