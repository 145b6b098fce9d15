"""One operator, or two, behind shims, on one namespace of a bed: what a fault is done to."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from chaos.oracle import Demand, Watch, watching
from chaos.past import Past
from chaos.shim import Shim
from engines import Engines, deployment, engines

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.certificates import Authority
from foretide.cli.bed.processes import LOOPBACK, free_port

PLAN_S, RELIST_S, FIRST_LIFE_S, LEASE_S = 2, 5, 10, 15
MAXIMUM = 32
POOL = {"targetRef": {"name": "llama"}, "accelerator": "H100", "maxReplicas": MAXIMUM}
FLAGS: dict[str, Any] = {
    "plan-interval": f"{PLAN_S}s",
    "relief-interval": "1s",
    "step": "1s",
    "first-life": f"{FIRST_LIFE_S}s",
    "backfill": "2m",
    "relist-interval": f"{RELIST_S}s",
    "status-interval": "2s",
    "cold-start": "2s",
    "cold-start-sigma": "0.1",
}
INFA = "/apis/autoscaling.foretide.io/v1alpha1"
SCRAPE_S = 0.5
PATIENCE_S = 100.0
"""For what must happen at all; how long it took is recorded, not asserted: the machine may be busy."""
CLOCK = """\
import os, time
_real = time.time
def _time():
    try:
        with open(os.environ["CHAOS_CLOCK"]) as file:
            return _real() + float(file.read() or 0)
    except OSError:
        return _real()
time.time = _time
"""
"""A sitecustomize with which the wall clock of a process can be set; its monotonic clock goes on as it does."""


class NeverCame(AssertionError):
    """What was waited for did not happen."""


@dataclass
class Operator:
    """The shipped command behind shims of its own; started again where it ended, as a kubelet would."""

    flags: dict[str, Any]
    folder: Path
    api: Shim
    prometheus: Shim
    process: "subprocess.Popen[bytes] | None" = None
    restarts: int = 0
    kept_alive: bool = True

    def start(self) -> None:
        (self.folder / "sitecustomize.py").write_text(CLOCK, encoding="utf-8")
        path = os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")])
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    Path(sys.executable).with_name("foretide"),
                    "operator",
                    *(f"--{name}={value}" for name, value in self.flags.items()),
                    f"--health={LOOPBACK}:{free_port()}",
                    f"--metrics={LOOPBACK}:{free_port()}",
                ],
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": path, "CHAOS_CLOCK": str(self.clock)},
            )

    @property
    def log(self) -> Path:
        return self.folder / "operator.log"

    @property
    def clock(self) -> Path:
        return self.folder / "clock"

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.lives:
            self.process.send_signal(number)

    def tend(self) -> None:
        if self.kept_alive and not self.lives:
            self.restarts += 1
            self.start()

    def end(self) -> None:
        self.kept_alive = False
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        if self.process is not None:
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def leads(self) -> bool:
        return " leads" in self.log.read_text(encoding="utf-8")


@dataclass
class Rig:
    bed: Bed
    namespace: str
    folder: Path
    farm: Engines
    watch: Watch
    past: Past
    stack: ExitStack
    demand: Demand = field(default_factory=Demand)
    operators: list[Operator] = field(default_factory=list)
    tokens: list[Path] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def operator(self) -> Operator:
        return self.operators[0]

    def ask(self, rate: float) -> None:
        """Sets the true demand."""
        self.farm.rate = rate
        self.demand.becomes(rate)

    def status(self) -> dict[str, Any]:
        return self.past.get(f"{INFA}/namespaces/{self.namespace}/inferenceautoscalers/llama").get("status") or {}

    def said(self) -> str:
        """Why the operator says that it is not ready, or what it last decided."""
        status = self.status()
        ready = next((item for item in status.get("conditions", ()) if item["type"] == "Ready"), {})
        return str(ready.get("reason", ""))

    def has_forecast(self) -> bool:
        return (self.status().get("lastDecision") or {}).get("forecast") is not None

    def until(self, what: Callable[[], bool], *, patience_s: float = PATIENCE_S, every_s: float = 0.2) -> None:
        """Waits until it holds, and brings back operators that end meanwhile."""
        end = time.monotonic() + patience_s
        while not what():
            for operator in self.operators:
                operator.tend()
            if time.monotonic() > end:
                raise NeverCame(f"{self.status()}\n{self.operator.log.read_text(encoding='utf-8')[-4000:]}")
            time.sleep(every_s)

    def passes(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    def recover(self) -> None:
        """Ends what is left of an earlier fault, and sets the autoscaler to act as usual."""
        for operator in self.operators[:-1]:
            operator.end()
        self.operators, self.tokens = self.operators[-1:], self.tokens[-1:]
        self.operator.api.be(None)
        self.operator.prometheus.be(None)
        self.operator.clock.write_text("0", encoding="utf-8")
        self.operator.tend()
        self.patch(mode="Auto")
        self.bound(1)
        self.until(self.has_forecast)

    def scale(self, replicas: int) -> None:
        """By hand, as the oracle sees it too."""
        self.bed.kubectl("scale", "-n", self.namespace, "deployment/llama", f"--replicas={replicas}")
        end = time.monotonic() + PATIENCE_S
        while replicas not in self.watch.counts() and time.monotonic() < end:
            time.sleep(0.02)

    def bound(self, minimum: int, *, maximum: int = MAXIMUM) -> None:
        self.patch(pools=[POOL | {"minReplicas": minimum, "maxReplicas": maximum}])

    def patch(self, **spec: Any) -> None:
        body = json.dumps({"spec": spec})
        self.bed.kubectl("patch", "-n", self.namespace, "infa", "llama", "--type=merge", "-p", body)

    def add_operator(self) -> Operator:
        """Starts it behind new shims, as a service account that may do all."""
        folder = self.folder / f"operator-{next(self.numbers)}"
        folder.mkdir()
        api = self.stack.enter_context(_api_shim(self.bed, folder))
        prometheus = self.stack.enter_context(Shim(self.bed.prometheus.port))
        token = folder / "token"
        token.write_text(self.bed.kubectl("create", "token", "-n", self.namespace, "foretide"), encoding="utf-8")
        self.tokens.append(token)
        flags = FLAGS | {
            "kubeconfig": _kubeconfig(folder, api.port),
            "source": f"default=http://{LOOPBACK}:{prometheus.port}",
            "scrape-interval": "1s",
            "namespace": self.namespace,
            "lease-namespace": self.namespace,
            "cache": folder / "cache",
            "journal": folder / "journal.jsonl",
        }
        operator = Operator(flags, folder, api, prometheus)
        self.stack.callback(operator.end)
        self.operators.append(operator)
        operator.start()
        return operator


@contextmanager
def rig(bed: Bed, namespace: str, folder: Path, *, replicas: int, rate: float) -> Iterator[Rig]:
    """Ready replicas under a steady demand, an autoscaler for them, and no operator yet."""
    if not bed.get("nodes")["items"]:
        bed.add_gpu_nodes(2)
    bed.kubectl("create", "serviceaccount", "-n", namespace, "foretide")
    role = f"--clusterrole=cluster-admin --serviceaccount={namespace}:foretide".split()
    bed.kubectl("create", "clusterrolebinding", namespace, *role)
    bed.apply(deployment(replicas=replicas), namespace=namespace)
    bed.apply(autoscaler(), namespace=namespace)
    bed.kubectl("-n", namespace, "rollout", "status", "deployment/llama", "--timeout=60s")
    past = Past(bed)

    def pods() -> list[dict[str, Any]]:
        return past.get(f"/api/v1/namespaces/{namespace}/pods").get("items") or []

    with (
        _scraping(bed),
        engines(bed, namespace, rate=rate, pods=pods) as farm,
        watching(past, namespace) as watch,
        ExitStack() as stack,
    ):
        made = Rig(bed, namespace, folder, farm, watch, past, stack)
        made.ask(rate)
        yield made
    bed.kubectl("delete", "clusterrolebinding", namespace)


@contextmanager
def _scraping(bed: Bed) -> Iterator[None]:
    """Twice per bin of the grid: a scrape that a busy machine delays leaves no hole then."""
    before, bed.prometheus.scrape_s = bed.prometheus.scrape_s, SCRAPE_S
    try:
        yield
    finally:
        bed.prometheus.scrape_s = before


def autoscaler() -> dict[str, Any]:
    """For a model that nobody has profiled: nothing is measured, so that nothing else takes the processor."""
    down = {"stabilizationWindowSeconds": 2, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 2}]}
    up = {"policies": [{"type": "Pods", "value": MAXIMUM, "periodSeconds": 1}]}
    return {
        "apiVersion": "autoscaling.foretide.io/v1alpha1",
        "kind": "InferenceAutoscaler",
        "metadata": {"name": "llama"},
        "spec": {
            "mode": "Auto",
            "model": "acme/unknown",
            "objective": {"ttft": {"percentile": 99, "threshold": "500ms"}},
            "pools": [POOL],
            "behavior": {"scaleDown": down, "scaleUp": up},
        },
    }


def _api_shim(bed: Bed, folder: Path) -> Shim:
    pair = Authority("shim-ca", folder).issue("shim", hosts=(LOOPBACK,))
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(pair.certificate, pair.key)
    return Shim(bed.plane.port, serving, ssl.create_default_context(cafile=str(bed.folder / "pki" / "ca.crt")))


def _kubeconfig(folder: Path, port: int) -> Path:
    cluster = {"server": f"https://{LOOPBACK}:{port}", "certificate-authority": "shim-ca.crt"}
    content = {
        "clusters": [{"name": "bed", "cluster": cluster}],
        "users": [{"name": "foretide", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": "foretide"}}],
        "current-context": "bed",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
