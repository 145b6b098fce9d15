"""What vLLM says at /metrics, for one simulated engine. Names and buckets of vLLM's V1 engine (vllm/v1/metrics).

NOT promised: every series of vLLM, only those that autoscalers read; and inter-token latency counts each request's
mean once per token, because the simulator does not keep single gaps.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from foretide.policies.flow import Floats

TTFT_S = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1,
    2.5,
    5,
    7.5,
    10,
    20,
    40,
    80,
    160,
    640,
    2560,
)
TOKEN_GAP_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
REQUEST_S = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
TOKENS = tuple(float(digit * 10**power) for power in range(6) for digit in (1, 2, 5))
OLD_NAMES = {
    "vllm:kv_cache_usage_perc": "vllm:gpu_cache_usage_perc",
    "vllm:inter_token_latency_seconds": "vllm:time_per_output_token_seconds",
}


class Histogram:
    """Counts of values below growing bounds, as Prometheus wants them."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = np.array(bounds)
        self._counts = np.zeros(len(bounds) + 1)
        self.sum = 0.0

    def add(self, values: Floats, weights: Floats | None = None) -> None:
        """Each value counts `weights` times (once by default); NaN, which is no value, not at all."""
        weights = np.ones(len(values)) if weights is None else weights
        known = np.isfinite(values)
        np.add.at(self._counts, np.searchsorted(self._bounds, values[known], side="left"), weights[known])
        self.sum += float(values[known] @ weights[known])

    @property
    def buckets(self) -> list[tuple[str, float]]:
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(bounds, np.cumsum(self._counts).tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """Requests that an engine has finished: arrays of one length, in seconds and tokens."""

    ttft_s: Floats
    tpot_s: Floats
    """NaN for a request of one output token."""
    e2e_s: Floats
    prompt_tokens: Floats
    output_tokens: Floats


@dataclass(slots=True)
class EngineMetrics:
    """All that one engine has counted since it started."""

    running: int = 0
    waiting: int = 0
    kv_usage: float = 0.0
    finished: float = 0.0
    prompt_tokens: float = 0.0
    output_tokens: float = 0.0
    ttft: Histogram = field(default_factory=lambda: Histogram(TTFT_S))
    tpot: Histogram = field(default_factory=lambda: Histogram(TOKEN_GAP_S))
    gaps: Histogram = field(default_factory=lambda: Histogram(TOKEN_GAP_S))
    e2e: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    prompts: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    outputs: Histogram = field(default_factory=lambda: Histogram(TOKENS))

    def add(self, done: Finished) -> None:
        self.finished += len(done.e2e_s)
        self.prompt_tokens += float(done.prompt_tokens.sum())
        self.output_tokens += float(done.output_tokens.sum())
        self.ttft.add(done.ttft_s)
        self.tpot.add(done.tpot_s)
        self.gaps.add(done.tpot_s, done.output_tokens - 1)
        self.e2e.add(done.e2e_s)
        self.prompts.add(done.prompt_tokens)
        self.outputs.add(done.output_tokens)


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
