"""The whole loop in real time on a real control plane: traffic rises and falls, the operator dies, Prometheus goes.

One run, recorded once a second; the end-to-end test judges the recording, `bench/closed_loop.py` draws it. Everything
is real but the engines: they are the fleet twin, which simulates what the ready pods would do with the requests.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from crds import established

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import free_port
from foretide.cli.bed.traffic import Load, Twin
from foretide.operator.schema import crd_path
from foretide.simulator.generate import output_lengths, prompt_lengths

NAMESPACE = "closed-loop"
START_DELAY = "8s"
RATES = ((0, 12.0), (80, 12.0), (220, 60.0), (260, 60.0), (350, 14.0), (440, 12.0))
"""(second, requests/s), linear in between."""
KILL_AT, RETURN_AT = 225.0, 231.0
LOOK_BACK_AT = 380.0
BLIND_AT, SEEING_AT = 400.0, 430.0
ENDS_AT = 440.0
AUTOSCALER = {
    "apiVersion": "autoscaling.foretide.io/v1alpha1",
    "kind": "InferenceAutoscaler",
    "metadata": {"name": "llama"},
    "spec": {
        "mode": "Auto",
        "model": "meta-llama/Llama-3.1-8B-Instruct",
        "objective": {
            "ttft": {"percentile": 99, "threshold": "500ms"},
            "tpot": {"percentile": 99, "threshold": "25ms"},
        },
        "pools": [{"targetRef": {"name": "llama"}, "accelerator": "H100", "maxReplicas": 8}],
        "behavior": {
            "scaleDown": {
                "stabilizationWindowSeconds": 20,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 5}],
            }
        },
    },
}
OPTIONS = {
    # A day of half an hour, so that a lowering which was taken back is regretted for a minute and not for an hour.
    "season": "30m",
    "plan-interval": "5s",
    "relief-interval": "2s",
    "step": "5s",
    "first-life": "30s",
    "backfill": "5m",
    "relist-interval": "10s",
    "status-interval": "5s",
    "cold-start": "10s",
    "cold-start-sigma": "0.2",
}


@dataclass(frozen=True)
class Row:
    """One second of the run: what was asked, what was there, what was promised and kept."""

    t: float
    rate: float
    waiting: int
    desired: int
    ready: int
    kept: float | None
    """Share of the requests of the twin's window that met TTFT and TPOT."""
    reason: str


@dataclass
class Recording:
    rows: list[Row] = field(default_factory=list)
    kept_overall: float | None = None
    printed: str = ""
    described: str = ""
    backtest: str = ""
    """What `foretide backtest` printed, or complained about."""
    backtested: dict[str, Any] = field(default_factory=dict)
    """Its summary."""

    def between(self, start: float, end: float) -> list[Row]:
        return [row for row in self.rows if start <= row.t < end]

    def save(self, path: Path) -> None:
        path.write_text("\n".join(json.dumps(asdict(row)) for row in self.rows) + "\n")


def rate_at(second: float) -> float:
    seconds, rates = zip(*RATES, strict=True)
    return float(np.interp(second, seconds, rates))


def write_trace(path: Path, *, seed: int = 5) -> Path:
    """Poisson arrivals along RATES, with the generated workload's lengths."""
    rng = np.random.default_rng(seed)
    grid = np.arange(0, ENDS_AT + 60, 0.1)
    mass = np.concatenate([[0.0], np.cumsum([rate_at(second) * 0.1 for second in grid])])
    ticks = np.cumsum(rng.exponential(1.0, int(mass[-1] * 1.2) + 100))
    arrival = np.interp(ticks[ticks < mass[-1]], mass, np.append(grid, grid[-1] + 0.1))
    arrival -= arrival[0]
    prompts, outputs = (draw(rng, len(arrival), mean=mean) for draw, mean in LENGTHS)
    rows = "\n".join(f"{at:.4f},{p},{o}" for at, p, o in zip(arrival, prompts, outputs, strict=True))
    path.write_text(f"arrival_s,prompt_tokens,output_tokens\n{rows}\n")
    return path


LENGTHS = ((prompt_lengths, 1024.0), (output_lengths, 203.0))


def workload() -> dict[str, Any]:
    labels = {"app": "llama"}
    engine = {"name": "engine", "image": "engine", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    metadata = {"labels": labels, "annotations": {"foretide.io/start-delay": START_DELAY}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "llama"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": metadata, "spec": {"containers": [engine]}},
        },
    }


@contextmanager
def operator(bed: Bed, folder: Path) -> Iterator["Operator"]:
    running = Operator(bed, folder)
    running.start()
    try:
        yield running
    finally:
        running.stop(signal.SIGTERM)


class Operator:
    """The shipped command as a process that can be killed and started again."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self._bed, self._folder = bed, folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        flags = OPTIONS | {
            "kubeconfig": self._bed.kubeconfig,
            "source": f"default={self._bed.prometheus.url}",
            "scrape-interval": f"{self._bed.prometheus.scrape_s:g}s",
            "namespace": NAMESPACE,
            "lease-namespace": NAMESPACE,
            "cache": self._folder / "cache",
            "health": f"127.0.0.1:{free_port()}",
            "metrics": f"127.0.0.1:{free_port()}",
        }
        with (self._folder / "operator.log").open("ab") as log:
            self._process = subprocess.Popen(
                [Path(sys.executable).with_name("foretide"), "operator", *(f"--{k}={v}" for k, v in flags.items())],
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    def stop(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)


class LookBack:
    """`foretide backtest` over the run so far: reads at once, and computes when nobody else wants the processor."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self._bed, self._folder, self._out = bed, folder, folder / "backtest"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        flags = {
            "prometheus": self._bed.prometheus.url,
            "target": f"{NAMESPACE}/llama",
            "kubeconfig": self._bed.kubeconfig,
            "since": "10m",
            "cold-start": OPTIONS["cold-start"],
            "scrape-interval": f"{self._bed.prometheus.scrape_s:g}s",
            "out": self._out,
        }
        foretide = Path(sys.executable).with_name("foretide")
        self._process = subprocess.Popen(
            ["nice", "-n", "19", foretide, "backtest", *(f"--{k}={v}" for k, v in flags.items())],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"HOME": str(self._folder)},
        )

    def finish(self, recording: Recording) -> None:
        if self._process is not None:
            recording.backtest, _ = self._process.communicate(timeout=300)
        if (self._out / "summary.json").exists():
            recording.backtested = json.loads((self._out / "summary.json").read_text())


def run(bed: Bed, folder: Path, *, say: Any = print) -> Recording:
    """The recorded run, some eight minutes of real time."""
    bed.kubectl("apply", "-f", str(crd_path()))
    established(bed, CRD)
    bed.add_gpu_nodes(1, gpus=8)
    bed.add_namespace(NAMESPACE)
    bed.apply(workload(), namespace=NAMESPACE)
    bed.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/llama", "--timeout=60s")
    with operator(bed, folder) as loop:
        bed.kubectl("apply", "-n", NAMESPACE, "-f", "-", stdin=json.dumps(AUTOSCALER))
        load = Load(trace=write_trace(folder / "trace.csv"), namespace=NAMESPACE, selector="app=llama")
        twin = bed.start_twin(load)
        back = LookBack(bed, folder)
        recording = _record(bed, twin, loop, back, say)
    recording.kept_overall = twin.truth()["all"]["joint"]
    back.finish(recording)
    return recording


CRD = "inferenceautoscalers.autoscaling.foretide.io"


def _record(bed: Bed, twin: Twin, loop: Operator, back: LookBack, say: Any) -> Recording:
    recording = Recording()
    happenings = [
        (KILL_AT, "the operator is killed", lambda: loop.stop(signal.SIGKILL)),
        (RETURN_AT, "the operator is started again", loop.start),
        (LOOK_BACK_AT, "a backtest reads Prometheus", back.start),
        (BLIND_AT - 5, "printed for an engineer", lambda: _print(bed, recording)),
        (BLIND_AT, "Prometheus is deleted", lambda: (bed.prometheus.stop(), bed.prometheus.wipe())),
        (SEEING_AT, "Prometheus is back, empty", bed.prometheus.start),
    ]
    while (row := _row(bed, twin)).t < ENDS_AT:
        recording.rows.append(row)
        if happenings and row.t >= happenings[0][0]:
            _, what, happens = happenings.pop(0)
            say(f"{row.t:6.1f} s  {what}")
            happens()
        if len(recording.rows) % 10 == 0:
            say(f"{row.t:6.1f} s  {row.rate:5.1f} requests/s, {row.waiting} wait, {row.ready}/{row.desired} ready")
        time.sleep(0.7)
    return recording


def _row(bed: Bed, twin: Twin) -> Row:
    truth = twin.truth()
    target = bed.get("-n", NAMESPACE, "deployment", "llama")
    seen = bed.get("-n", NAMESPACE, "infa", "llama").get("status", {})
    return Row(
        t=truth["t"],
        rate=truth["arrival_rate"],
        waiting=int(truth["waiting"]),
        desired=target["spec"]["replicas"],
        ready=target["status"].get("readyReplicas", 0),
        kept=truth["window"]["joint"],
        reason=seen.get("lastDecision", {}).get("reason", ""),
    )


def _print(bed: Bed, recording: Recording) -> None:
    recording.printed = bed.kubectl("-n", NAMESPACE, "get", "infa")
    recording.described = bed.kubectl("-n", NAMESPACE, "describe", "infa", "llama")
