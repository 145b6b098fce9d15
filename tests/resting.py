"""A gateway that holds requests, and a target behind it that may rest, for tests on the bed."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from exposed import family
from operating import FAST
from pages import pages

from foretide.cli.bed.bed import Bed

MODEL = {"model_name": "llama", "target_model_name": "llama"}


@dataclass
class Gateway:
    """An endpoint picker with flow control: it holds what no ready pod can take, and loses nothing."""

    bed: Bed
    namespace: str
    rate: float = 0.3
    up: bool = True
    asked: float = 0.0
    done: float = 0.0
    ready: bool = True
    at: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def held(self) -> float:
        return self.asked - self.done

    def ask(self, requests: float) -> None:
        with self.lock:
            self.asked += requests

    def targets(self, port: int) -> str:
        """The gateway's own pod, which is always there. Prometheus asks every few seconds: whether a pod is ready is
        looked up then.
        """
        found = self.bed.get("-n", self.namespace, "deployment", "llama")["status"].get("readyReplicas", 0)
        with self.lock:
            self._advance()
            self.ready = found > 0
        labels = {"__metrics_path__": "/page", "namespace": self.namespace, "pod": "llama-epp-0"}
        return json.dumps([{"targets": [f"127.0.0.1:{port}"], "labels": labels}])

    def page(self) -> str | None:
        with self.lock:
            self._advance()
            told = [
                family("llm_d_epp_request_running", "gauge", (MODEL, 0)),
                family("llm_d_epp_per_endpoint_queue_size", "gauge", ({"name": "llama"}, 0)),
                family("llm_d_epp_flow_control_queue_size", "gauge", (MODEL, round(self.held, 6))),
                family("llm_d_epp_request_duration_seconds_count", "counter", (MODEL, self.done)),
                family("llm_d_epp_request_input_tokens_sum", "counter", (MODEL, 1000 * self.done)),
                family("llm_d_epp_request_output_tokens_sum", "counter", (MODEL, 200 * self.done)),
            ]
            return "".join(told) if self.up else None

    def _advance(self) -> None:
        now = time.monotonic()
        self.asked += self.rate * (now - self.at)
        self.at = now
        if self.ready:
            self.done = self.asked


@contextmanager
def gateway(bed: Bed, namespace: str) -> Iterator[Gateway]:
    """Scraped by the bed's Prometheus until the context ends."""
    found = Gateway(bed, namespace)

    with pages(targets=found.targets, page=lambda _: found.page(), missing=503) as listed:
        bed.prometheus.discover(namespace, listed)
        try:
            yield found
        finally:
            bed.prometheus.forget(namespace)


def resource(**spec: Any) -> dict[str, Any]:
    pool = {"targetRef": {"name": "llama"}, "accelerator": "H100", "minReplicas": 0, "maxReplicas": 4}
    return {
        "apiVersion": "autoscaling.foretide.io/v1alpha1",
        "kind": "InferenceAutoscaler",
        "metadata": {"name": "llama"},
        "spec": {
            "mode": "Auto",
            "model": "acme/unknown",
            "engine": "epp",
            "metrics": {"gateway": "llama-epp"},
            "objective": {"ttft": {"threshold": "500ms"}},
            "pools": [pool],
            "warm": {"scaleToZero": True, "keepAlive": "1m"},
            "behavior": FAST,
            **spec,
        },
    }
