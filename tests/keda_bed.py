"""A real KEDA on the bed: its operator and its metrics adapter as processes, registered as in a cluster."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.binaries import EXTRAS, BinaryMissing, programs
from foretide.cli.bed.certificates import Authority
from foretide.cli.bed.processes import LOOPBACK, Process, free_port, listening, start, stop, wait_for

SPACE, SERVICE = "keda", "keda-metrics-apiserver"
API_SERVICE = "v1beta1.external.metrics.k8s.io"


@dataclass(frozen=True)
class RealKeda:
    bed: Bed
    operator: Process
    adapter: Process

    def said(self) -> str:
        """The end of its operator's log."""
        return self.operator.log.read_text(encoding="utf-8", errors="replace")[-3000:]


def built() -> dict[str, Path]:
    """Where KEDA's programs are; skips the test where nobody has built them."""
    try:
        return programs(EXTRAS["keda"].programs, build=False)
    except BinaryMissing:
        pytest.skip("KEDA is not built; `foretide dev build --with keda` takes about twelve minutes on two cores")


@contextmanager
def real_keda(bed: Bed, folder: Path) -> Iterator[RealKeda]:
    """Started, and asked by HPAs, until the context ends."""
    found = built()
    bed.kubectl("apply", "--server-side", "-f", str(found["keda-operator"].with_name("bases")))
    wait_for(lambda: "scaledobjects" in bed.kubectl("api-resources", "--api-group=keda.sh"), what="KEDA's CRDs")
    with suppress(Exception):
        bed.add_namespace(SPACE)
    certificates = folder / "certificates"
    authority = Authority("ca", certificates)
    authority.issue("keda", file="tls", hosts=("localhost", LOOPBACK, f"{SERVICE}.{SPACE}.svc"))
    processes: list[Process] = []
    try:
        keda = _started(bed, found, folder, certificates, processes)
        yield keda
    finally:
        # No namespace can be deleted while an APIService leads nowhere.
        bed.kubectl("delete", "apiservice", API_SERVICE, "--ignore-not-found")
        stop(processes)


def _started(bed: Bed, found: dict[str, Path], folder: Path, certificates: Path, processes: list[Process]) -> RealKeda:
    environment = {
        "KUBECONFIG": str(bed.kubeconfig),
        "KEDA_CLUSTER_OBJECT_NAMESPACE": SPACE,
        "POD_NAMESPACE": SPACE,
        "WATCH_NAMESPACE": "",
    }
    grpc, secure = free_port(), free_port()
    flags = [
        f"--metrics-bind-address={LOOPBACK}:{free_port()}",
        f"--health-probe-bind-address={LOOPBACK}:{free_port()}",
        f"--metrics-service-bind-address={LOOPBACK}:{grpc}",
        f"--cert-dir={certificates}",
    ]
    log = folder / "keda-operator.log"
    operator = start("keda-operator", [found["keda-operator"], *flags], log=log, attached=True, environment=environment)
    processes.append(operator)
    wait_for(lambda: listening(grpc), what="KEDA's metrics service", by=processes)
    flags = [
        f"--bind-address={LOOPBACK}",
        f"--secure-port={secure}",
        f"--port={free_port()}",
        f"--metrics-service-address=localhost:{grpc}",
        f"--cert-dir={certificates}",
        f"--client-ca-file={certificates / 'ca.crt'}",
        f"--tls-cert-file={certificates / 'tls.crt'}",
        f"--tls-private-key-file={certificates / 'tls.key'}",
        *(f"--{name}-kubeconfig={bed.kubeconfig}" for name in ("authentication", "authorization", "lister")),
    ]
    log = folder / "keda-adapter.log"
    adapter = start("keda-adapter", [found["keda-adapter"], *flags], log=log, attached=True, environment=environment)
    processes.append(adapter)
    wait_for(lambda: listening(secure), what="KEDA's adapter", by=processes)
    _register(bed, (certificates / "ca.crt").read_bytes(), secure)
    wait_for(lambda: _available(bed), what="the external metrics of KEDA", by=processes)
    return RealKeda(bed, operator, adapter)


def _register(bed: Bed, authority: bytes, port: int) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }
    bed.apply(service, namespace=SPACE)
    group = API_SERVICE.removeprefix("v1beta1.")
    spec: dict[str, Any] = {
        "group": group,
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "service": {"name": SERVICE, "namespace": SPACE, "port": port},
        "caBundle": b64encode(authority).decode("ascii"),
    }
    meta = {"name": API_SERVICE}
    bed.apply({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": meta, "spec": spec})


def _available(bed: Bed) -> bool:
    conditions = bed.get("apiservice", API_SERVICE).get("status", {}).get("conditions", ())
    return any((one["type"], one["status"]) == ("Available", "True") for one in conditions)
