"""A bed like a kind cluster: one machine without GPUs, and no KWOK but the one of the manifests."""

from collections.abc import Iterator

import pytest
from audit import audit_flags
from kind_like import KIND, KindLike, start_kwok
from podlike import PodLike

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.nodes import gpu_node
from foretide.cli.bed.plane import PlaneSettings
from foretide.cli.bed.processes import stop


@pytest.fixture(scope="module")
def kind_like(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindLike]:
    folder = tmp_path_factory.mktemp("kind")
    audit = folder / "audit.log"
    with Bed.start(settings=PlaneSettings(apiserver_flags=audit_flags(audit))) as bed:
        stop([process for process in bed.processes if process.name == "kwok"])
        bed.kubectl("apply", "--server-side", "-k", str(KIND))
        kwok = PodLike(bed, "kwok", "kwok", folder / "kwok")
        running = start_kwok(bed, kwok)
        try:
            # the place of kind's own machine: its pods are not on the GPU nodes, whose taint they do not tolerate
            bed.apply(gpu_node("kind-control-plane", gpus=0))
            yield KindLike(bed, folder, audit, kwok)
        finally:
            stop([running])
