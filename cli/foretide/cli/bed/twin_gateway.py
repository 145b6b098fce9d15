"""A gateway in front of the fleet twin's engines, as llm-d's endpoint picker with flow control tells of itself.

It holds what no ready pod can take and loses nothing. NOT promised: series of a real picker beyond those that the
operator reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

LABELS = ["model_name", "target_model_name"]


@dataclass(frozen=True, slots=True)
class Passed:
    """What has gone through: totals since the beginning, and what is there now."""

    held: int
    in_flight: int
    """Held ones included, as the picker counts them."""
    finished: int
    prompt_tokens: int
    output_tokens: int


def gateway_page(passed: Passed, *, model: str) -> bytes:
    """The text that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(_Page(passed, model))
    return generate_latest(registry)


class _Page(Collector):
    def __init__(self, passed: Passed, model: str) -> None:
        self._passed, self._model = passed, model

    def collect(self) -> Iterator[Metric]:
        passed, value = self._passed, [self._model, self._model]
        for name, level in {
            "llm_d_epp_request_running": passed.in_flight,
            "llm_d_epp_flow_control_queue_size": passed.held,
            "llm_d_epp_per_endpoint_queue_size": 0,
        }.items():
            gauge = GaugeMetricFamily(name, name, labels=LABELS)
            gauge.add_metric(value, level)
            yield gauge
        for name, total in {
            "llm_d_epp_request_duration_seconds_count": passed.finished,
            "llm_d_epp_request_input_tokens_sum": passed.prompt_tokens,
            "llm_d_epp_request_output_tokens_sum": passed.output_tokens,
        }.items():
            gauge = GaugeMetricFamily(name, name, labels=LABELS)
            gauge.add_metric(value, total)
            yield gauge
