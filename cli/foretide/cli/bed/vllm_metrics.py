"""What vLLM says at /metrics, for one simulated engine, under the names of vLLM's V1 engine (vllm/v1/metrics).

NOT promised: every series of vLLM, only those that autoscalers read.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from foretide.simulator.engine_metrics import EngineMetrics

OLD_NAMES = {
    "vllm:kv_cache_usage_perc": "vllm:gpu_cache_usage_perc",
    "vllm:inter_token_latency_seconds": "vllm:time_per_output_token_seconds",
}


def exposition(engine: EngineMetrics, *, model: str, old_names: bool = False) -> bytes:
    """The text that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(_Page(list(_families(engine, model, OLD_NAMES if old_names else {}))))
    return generate_latest(registry)


class _Page(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(engine: EngineMetrics, model: str, names: dict[str, str]) -> Iterator[Metric]:
    label, value = ["model_name"], [model]
    for name, level in {
        "vllm:num_requests_running": engine.running,
        "vllm:num_requests_waiting": engine.waiting,
        "vllm:kv_cache_usage_perc": engine.kv_usage,
    }.items():
        gauge = GaugeMetricFamily(names.get(name, name), name, labels=label)
        gauge.add_metric(value, level)
        yield gauge
    for name, total in {
        "vllm:prompt_tokens": engine.prompt_tokens,
        "vllm:generation_tokens": engine.output_tokens,
    }.items():
        counter = CounterMetricFamily(name, name, labels=label)
        counter.add_metric(value, total)
        yield counter
    success = CounterMetricFamily("vllm:request_success", "vllm:request_success", labels=[*label, "finished_reason"])
    success.add_metric([*value, "stop"], engine.finished)
    yield success
    answers = CounterMetricFamily("http_requests", "http_requests", labels=["handler", "method", "status"])
    answers.add_metric(["/v1/completions", "POST", "2xx"], engine.finished)
    yield answers
    for name, histogram in {
        "vllm:time_to_first_token_seconds": engine.ttft,
        "vllm:request_time_per_output_token_seconds": engine.tpot,
        "vllm:inter_token_latency_seconds": engine.gaps,
        "vllm:e2e_request_latency_seconds": engine.e2e,
        "vllm:request_prompt_tokens": engine.prompts,
        "vllm:request_generation_tokens": engine.outputs,
    }.items():
        family = HistogramMetricFamily(names.get(name, name), name, labels=label)
        family.add_metric(value, histogram.buckets, histogram.sum)
        yield family
