"""Real Helm: without a cluster, and for that of the bed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helm import LEAST, Helm, with_
from installed import QUICK, Installed

from foretide.cli.bed.bed import Bed


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    return Helm(tmp_path)


@pytest.fixture
def bed_helm(tmp_path: Path, bed: Bed) -> Helm:
    """For the bed, which has a node for pods that ask for nothing special."""
    if not bed.get("nodes")["items"]:
        bed.add_gpu_nodes(2)
    return Helm(tmp_path, bed.kubeconfig)


@pytest.fixture
def installation(bed: Bed, bed_helm: Helm, namespace: str, tmp_path: Path) -> Iterator[Callable[..., Installed]]:
    """Installs with the bed's Prometheus as the source, and uninstalls after the test."""

    def install(**changes: Any) -> Installed:
        values = with_(LEAST, sources__default__address=bed.prometheus.url, settings=QUICK, **changes)
        bed_helm.install(namespace, values)
        return Installed(bed, bed_helm, namespace, tmp_path, values)

    yield install
    bed_helm.run("uninstall", "foretide", f"--namespace={namespace}", "--wait")
