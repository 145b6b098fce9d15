"""A night and a long gap of one model on the bed: what is there, and what is seen of it every second."""

import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engines import deployment

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import BedFailed
from foretide.cli.bed.traffic import Load, Twin
from foretide.operator.gates import AWAKE, nap_of

GPU = "nvidia.com/gpu"
CLASS = "foretide-placeholder"
WAKE_S = 3.0


def model(node: str) -> dict[str, Any]:
    """A Deployment whose pods have our readiness gate and need all of one node."""
    found = deployment("llama", replicas=1)
    spec = found["spec"]["template"]["spec"]
    spec |= {"readinessGates": [{"conditionType": AWAKE}], "nodeSelector": {"kubernetes.io/hostname": node}}
    spec["containers"][0]["resources"] = {"limits": {GPU: "1"}}
    found["spec"]["template"]["metadata"]["annotations"] = {"foretide.io/start-delay": "4s"}
    return found


def service() -> dict[str, Any]:
    spec = {"selector": {"app": "llama"}, "ports": [{"port": 8000}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "llama"}, "spec": spec}


def priority_class(name: str = CLASS, value: int = -10) -> dict[str, Any]:
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value}
    return body | {"description": "Pods that hold a node until somebody needs it."}


def placeholder(node: str, *, named: str = CLASS) -> dict[str, Any]:
    """A Deployment of pods that hold the node; the operator scales it."""
    found = deployment("hold", replicas=0)
    spec = found["spec"]["template"]["spec"]
    spec |= {"priorityClassName": named, "terminationGracePeriodSeconds": 0}
    spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    spec["containers"][0]["resources"] = {"limits": {GPU: "1"}}
    return found


def twin(bed: Bed, namespace: str, folder: Path) -> Twin:
    """Engines that can sleep; requests come by the gateway, so that the twin's own trace is one request."""
    trace = folder / "trace.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n0.0,10,2\n")
    return bed.start_twin(Load(trace=trace, namespace=namespace, selector="app=llama", wake_s=WAKE_S))


def post(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5):
        pass


@dataclass(frozen=True)
class Row:
    """One second of the run."""

    t: float
    replicas: int
    ready: int
    nap: str
    endpoints: int
    """Addresses of the Service that are ready."""
    placeholders: int
    """Placeholder pods on a node."""
    held: float
    asked: float
    prometheus: int


@dataclass
class Watch:
    """Looks at the bed from outside."""

    bed: Bed
    namespace: str
    gateway: Any
    rows: list[Row] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def pods(self, app: str = "llama") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.bed.get("-n", self.namespace, "pods", "-l", f"app={app}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def naps(self) -> list[str]:
        return [nap_of({one["type"]: one for one in pod["status"].get("conditions", ())}).value for pod in self.pods()]

    def endpoints(self) -> int:
        label = "kubernetes.io/service-name=llama"
        slices = self.bed.get("-n", self.namespace, "endpointslices", "-l", label)["items"]
        ends = [end for one in slices for end in one.get("endpoints") or ()]
        return sum(bool(end["conditions"].get("ready")) for end in ends)

    def placeholders(self) -> int:
        return sum(bool(pod["spec"].get("nodeName")) for pod in self.pods("hold"))

    def row(self) -> Row:
        scale = self.bed.get("-n", self.namespace, "deployment", "llama")
        return Row(
            t=round(time.monotonic() - self.began, 1),
            replicas=int(scale["spec"]["replicas"]),
            ready=int(scale["status"].get("readyReplicas", 0)),
            nap=",".join(self.naps()),
            endpoints=self.endpoints(),
            placeholders=self.placeholders(),
            held=round(self.gateway.held, 2),
            asked=round(self.gateway.asked, 2),
            prometheus=int(self.bed.prometheus.process is not None),
        )


@contextmanager
def recorded(watch: Watch, path: Path) -> Iterator[None]:
    """A line of CSV for each look, a second or more apart, until the context ends."""
    over = threading.Event()
    names = list(Row.__dataclass_fields__)

    def keep() -> None:
        with path.open("w", encoding="utf-8") as file:
            file.write(",".join(names) + "\n")
            while not over.wait(1.0):
                try:
                    row = asdict(watch.row())
                except BedFailed:
                    continue
                watch.rows.append(Row(**row))
                file.write(",".join(f'"{row[name]}"' if name == "nap" else str(row[name]) for name in names) + "\n")
                file.flush()

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=30)
