"""The test bed put together: a real control plane, GPU nodes, a real Prometheus and, on request, the fleet twin.

    with Bed.start() as bed:
        bed.add_gpu_nodes(1, gpus=8)
        bed.kubectl("get", "nodes")

Promised: every process is gone when the context ends, or when its owner is killed (where there is setpriv). NOT
promised: that the folder goes too when a start fails or the owner is killed: its logs are then all there is to read.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from foretide.cli.bed.binaries import Watching, programs, unwatched
from foretide.cli.bed.nodes import H100, gpu_node
from foretide.cli.bed.plane import Plane, PlaneSettings, start_plane
from foretide.cli.bed.processes import BedFailed, Process, stop, wait_for
from foretide.cli.bed.prometheus import Prometheus
from foretide.cli.bed.traffic import Load, Twin, start_twin

KUBECTL_TIMEOUT_S = 60


@dataclass(slots=True)
class Bed:
    """A running bed. Use as a context manager, or call `stop`."""

    folder: Path
    plane: Plane
    prometheus: Prometheus
    programs: Mapping[str, Path]
    attached: bool = True
    """Whether the kernel ends the processes with the one that started them."""
    passing: bool = True
    """Whether the folder goes when the bed does."""
    nodes: int = 0
    twins: list[Twin] = field(default_factory=list)

    @classmethod
    def start(
        cls,
        *,
        folder: Path | None = None,
        settings: PlaneSettings | None = None,
        scrape_s: float = 2.0,
        build: bool = True,
        watching: Watching = unwatched,
    ) -> Self:
        """Starts plane and Prometheus. Raises BinaryMissing or BedFailed; then nothing is left running."""
        settings = settings or PlaneSettings()
        found = programs(build=build, watching=watching)
        place = folder or Path(tempfile.mkdtemp(prefix="foretide-bed-"))
        plane = start_plane(place, found, settings)
        prometheus = Prometheus(found["prometheus"], place, scrape_s=scrape_s, attached=settings.attached)
        bed = cls(place, plane, prometheus, found, attached=settings.attached, passing=folder is None)
        try:
            prometheus.start()
        except BaseException:
            bed.stop()
            raise
        return bed

    @property
    def kubeconfig(self) -> Path:
        """An admin's kubeconfig for this bed."""
        return self.plane.kubeconfig

    @property
    def processes(self) -> tuple[Process, ...]:
        prometheus = [self.prometheus.process] if self.prometheus.process else []
        return (*self.plane.processes, *prometheus, *(twin.process for twin in self.twins))

    def stop(self) -> None:
        stop([twin.process for twin in self.twins])
        self.prometheus.stop()
        self.plane.stop()
        if self.passing:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints. Raises BedFailed with its complaint when it fails."""
        flags = [f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.folder / 'kubectl'}"]
        try:
            done = subprocess.run(
                [str(self.programs["kubectl"]), *flags, *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=KUBECTL_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise BedFailed(f"kubectl {' '.join(arguments)}: no end after {KUBECTL_TIMEOUT_S} s") from late
        if done.returncode != 0:
            raise BedFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """The object, or the list of objects, that `kubectl get` finds."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def apply(self, *objects: Mapping[str, Any], namespace: str = "default") -> None:
        """Applies manifests given as objects."""
        body = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", "-n", namespace, "-f", "-", stdin=body)

    def add_gpu_nodes(self, count: int, *, gpus: int = 8, product: str = H100) -> list[str]:
        """New Ready nodes; their names."""
        names = [f"gpu-{self.nodes + index}" for index in range(count)]
        self.nodes += count
        if names:
            self.apply(*(gpu_node(name, gpus=gpus, product=product) for name in names))
            self.kubectl("wait", "--for=condition=Ready", "--timeout=30s", *(f"node/{name}" for name in names))
        return names

    def remove_nodes(self, names: Sequence[str]) -> None:
        """Takes machines away; their pods go as they go when a machine is lost."""
        self.kubectl("delete", "node", *names)

    def add_namespace(self, name: str) -> None:
        """A namespace in which pods can be made at once."""
        self.kubectl("create", "namespace", name)
        wait_for(lambda: self._has(name, "serviceaccount/default"), what=f"service account of namespace {name}")

    def start_twin(self, load: Load) -> Twin:
        """A fleet twin behind the pods that `load` selects, scraped by this bed's Prometheus."""
        name = f"twin-{len(self.twins)}"
        twin = start_twin(load, name=name, folder=self.folder, kubeconfig=self.kubeconfig, attached=self.attached)
        self.twins.append(twin)
        self.prometheus.discover(name, twin.targets_url)
        return twin

    def stop_twin(self, twin: Twin) -> None:
        """Takes the twin away; its pods are scraped no more."""
        self.prometheus.forget(twin.job)
        twin.stop()

    def _has(self, namespace: str, thing: str) -> bool:
        with suppress(BedFailed):
            return bool(self.kubectl("get", "-n", namespace, thing, "-o", "name"))
        return False
