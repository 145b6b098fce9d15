"""The operator as a process, in accelerated time, for tests on a real control plane."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import free_port

FAST = {"scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 2}]}}
PATIENCE_S = 240.0


@dataclass
class Running:
    """An operator process of one namespace."""

    bed: Bed
    namespace: str
    process: subprocess.Popen[bytes]
    health: int
    metrics: int
    log: Path

    def status(self) -> dict[str, Any]:
        return self.bed.get("-n", self.namespace, "infa", "llama").get("status") or {}

    def replicas(self) -> int:
        return int(self.bed.get("-n", self.namespace, "deployment", "llama")["spec"]["replicas"])

    def reason(self) -> str:
        return next((item["reason"] for item in self.status().get("conditions", ()) if item["type"] == "Ready"), "")

    def until(self, what: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> None:
        """Waits until it holds; shows the log if it never does."""
        end = time.monotonic() + patience_s
        while not what():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, f"{json.dumps(self.status(), indent=1)}\n{self.log.read_text()[-4000:]}"
            time.sleep(0.3)

    def page(self, port: int, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@contextmanager
def operator(bed: Bed, namespace: str, folder: Path, **options: str) -> Iterator[Running]:
    """An operator that plans every 2 s on a grid of 2 s, and lowers after having watched for 10 s."""
    health, metrics = free_port(), free_port()
    usual = {
        "kubeconfig": bed.kubeconfig,
        "source": f"default={bed.prometheus.url}",
        "scrape-interval": f"{bed.prometheus.scrape_s:g}s",
        "namespace": namespace,
        "lease-namespace": namespace,
        "plan-interval": "2s",
        "relief-interval": "1s",
        "step": "2s",
        "first-life": "10s",
        "backfill": "2m",
        "relist-interval": "5s",
        "status-interval": "2s",
        "cold-start": "2s",
        "cold-start-sigma": "0.1",
        "cache": folder / "cache",
        "journal": folder / "journal.jsonl",
        "health": f"127.0.0.1:{health}",
        "metrics": f"127.0.0.1:{metrics}",
    }
    given = {name.replace("_", "-"): value for name, value in options.items()}
    flags = [f"--{name}={value}" for name, value in (usual | given).items()]
    log = folder / "operator.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("foretide"), "operator", *flags],
            stdout=file,
            stderr=file,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
    running = Running(bed, namespace, process, health, metrics, log)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)
