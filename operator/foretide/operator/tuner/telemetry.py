"""The tuner's own metrics. Names and labels are read by dashboards: add, never rename."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from foretide.operator.seams import Key
from foretide.operator.tuner.told import Told

_TARGET = ("namespace", "name")


class TunerTelemetry:
    """One registry per process life."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        gauge = partial(Gauge, registry=self.registry, namespace="foretide_tuner")
        counter = partial(Counter, registry=self.registry, namespace="foretide_tuner")
        self._limit = gauge("limit_requests", "Requests that one replica takes at once", _TARGET)
        self._baseline = gauge("baseline_requests", "What the rule n* says", _TARGET)
        self._turns = counter("turns_total", "Windows looked at, by what came of them", ["reason"])
        self._changes = counter("changes_total", "Limits written", ["reason"])

    def count(self, key: Key, told: Told | None) -> None:
        """Takes in a turn; a resource with nothing to tune counts nowhere."""
        if told is None:
            return
        self._turns.labels(told.reason).inc()
        if told.change is not None:
            self._changes.labels(told.change.reason).inc()
        if told.limit is not None:
            self._limit.labels(key.namespace, key.name).set(told.limit)
        if told.baseline is not None:
            self._baseline.labels(key.namespace, key.name).set(told.baseline)

    def page(self) -> bytes:
        return generate_latest(self.registry)
