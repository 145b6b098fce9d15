"""Real Helm: without a cluster, and for that of the bed."""

from pathlib import Path

import pytest
from helm import Helm

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
