"""Engines with latency histograms behind real pods, and the tuner as a process beside them, in accelerated time."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engines import Engines
from exposed import family
from operating import Running
from pages import pages

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import free_port

PROMPT, OUTPUT = 4000.0, 200.0
BEST = 69
"""n* of an 8B model on one H100 at these lengths and a TPOT of 50 ms."""
WINDOW_S = 6.0


@dataclass
class TunedEngines(Engines):
    """`share` of what they end is within 50 ms a token; all of it has its first token within 250 ms."""

    share: float = 0.9
    running: str = "80"
    good: dict[str, float] = field(default_factory=dict)

    def page(self, pod: str) -> str | None:
        with self.lock:
            self._advance()
            return None if pod not in self.done else self._page(pod)

    def _advance(self) -> None:
        before = dict(self.done)
        super()._advance()
        for name, done in self.done.items():
            self.good[name] = self.good.get(name, 0.0) + self.share * (done - before.get(name, 0.0))

    def _page(self, pod: str) -> str:
        done, good = self.done[pod], self.good.get(pod, 0.0)
        own = {"namespace": self.namespace, "pod": pod}
        histograms = (("vllm:time_to_first_token_seconds", done), ("vllm:request_time_per_output_token_seconds", good))
        lines = [
            f'{name}_bucket{{namespace="{self.namespace}",pod="{pod}",le="{le}"}} {value}'
            for name, within in histograms
            for le, value in (("0.025", 0.0), ("0.05", within), ("0.25", done), ("+Inf", done))
        ]
        return (
            family("vllm:num_requests_running", "gauge", (own, float(self.running)))
            + family("vllm:num_requests_waiting", "gauge", (own, 0.0))
            + family("vllm:request_success_total", "counter", ({**own, "finished_reason": "stop"}, done))
            + family("vllm:request_prompt_tokens_sum", "counter", (own, PROMPT * done))
            + family("vllm:request_generation_tokens_sum", "counter", (own, OUTPUT * done))
            + "\n".join(lines)
            + "\n"
        )


@contextmanager
def tuned_engines(bed: Bed, namespace: str, *, rate: float) -> Iterator[TunedEngines]:
    """Scraped by the bed's Prometheus until the context ends."""
    farm, job = TunedEngines(bed, namespace, rate), re.sub(r"\W", "-", namespace)
    with pages(targets=farm.targets, page=farm.page) as listed:
        bed.prometheus.discover(job, listed)
        try:
            yield farm
        finally:
            bed.prometheus.forget(job)


@contextmanager
def tuner(bed: Bed, namespace: str, folder: Path) -> Iterator[Running]:
    """A tuner with windows of six seconds, each of three scrapes."""
    health = free_port()
    flags = {
        "kubeconfig": bed.kubeconfig,
        "source": f"default={bed.prometheus.url}",
        "scrape-interval": f"{bed.prometheus.scrape_s:g}s",
        "namespace": namespace,
        "lease-namespace": namespace,
        "window": f"{WINDOW_S:g}s",
        "cold-start": "2s",
        "health": f"127.0.0.1:{health}",
    }
    log = folder / "tuner.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [
                Path(sys.executable).with_name("foretide"),
                "tuner",
                *(f"--{name}={value}" for name, value in flags.items()),
            ],
            stdout=file,
            stderr=file,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    try:
        yield Running(bed, namespace, process, health, health, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)
