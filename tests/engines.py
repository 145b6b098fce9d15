"""Engines behind real pods, for a real Prometheus: they finish `rate` requests/s together, shared evenly."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pages import pages

from foretide.cli.bed.bed import Bed

PAGE = """\
vllm:num_requests_running{{namespace="{space}",pod="{pod}"}} {running}
vllm:num_requests_waiting{{namespace="{space}",pod="{pod}"}} {waiting}
vllm:request_success_total{{namespace="{space}",pod="{pod}",finished_reason="stop"}} {done}
vllm:request_success_total{{namespace="{space}",pod="{pod}",finished_reason="length"}} 0
vllm:request_prompt_tokens_sum{{namespace="{space}",pod="{pod}"}} {prompt}
vllm:request_generation_tokens_sum{{namespace="{space}",pod="{pod}"}} {output}
"""


def deployment(name: str = "llama", replicas: int = 2) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "engine", "image": "engine"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


@dataclass
class Engines:
    """What the pods of a namespace say; set `rate`, `waiting` or `running` at any time."""

    bed: Bed
    namespace: str
    rate: float = 0.0
    waiting: float = 0.0
    running: str = "1"
    app: str = "llama"
    """Which workload's pods."""
    tokens: tuple[float, float] = (1000, 200)
    """Prompt and output tokens of a request."""
    done: dict[str, float] = field(default_factory=dict)
    at: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)
    pods: Callable[[], list[dict[str, Any]]] | None = None
    """Who lists the pods instead of a kubectl each second, which costs a good part of a processor."""

    def targets(self, port: int) -> str:
        """For http_sd_configs: the pods that are ready now."""
        pods = (
            self.pods() if self.pods else self.bed.get("-n", self.namespace, "pods", "-l", f"app={self.app}")["items"]
        )
        names = [pod["metadata"]["name"] for pod in pods if _is_ready(pod)]
        with self.lock:
            self._advance()
            self.done = {name: self.done.get(name, 0.0) for name in names}
        address = [f"127.0.0.1:{port}"]
        return json.dumps([{"targets": address, "labels": {"__metrics_path__": f"/{name}"}} for name in names])

    def page(self, pod: str) -> str | None:
        with self.lock:
            self._advance()
            if pod not in self.done:
                return None
            done = self.done[pod]
            return PAGE.format(
                space=self.namespace,
                pod=pod,
                running=self.running,
                waiting=self.waiting / len(self.done),
                done=done,
                prompt=self.tokens[0] * done,
                output=self.tokens[1] * done,
            )

    def _advance(self) -> None:
        now = time.monotonic()
        for name in self.done:
            self.done[name] += self.rate / len(self.done) * (now - self.at)
        self.at = now


@contextmanager
def engines(
    bed: Bed,
    namespace: str,
    *,
    rate: float,
    pods: Callable[[], list[dict[str, Any]]] | None = None,
    app: str = "llama",
    tokens: tuple[float, float] = (1000, 200),
) -> Iterator[Engines]:
    """Scraped by the bed's Prometheus until the context ends."""
    farm = Engines(bed, namespace, rate, pods=pods, app=app, tokens=tokens)

    job = re.sub(r"\W", "-", f"{namespace}-{app}")
    with pages(targets=farm.targets, page=farm.page) as listed:
        bed.prometheus.discover(job, listed)
        try:
            yield farm
        finally:
            bed.prometheus.forget(job)


def _is_ready(pod: dict[str, object]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []  # type: ignore[attr-defined]
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
