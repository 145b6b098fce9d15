"""The real control plane for tests marked `bed`: one per session, a namespace of its own for each test."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from audit import audit_flags
from crds import established
from hpa_series import DOWNSCALE_S

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.kwok_stages import PodTimes
from foretide.cli.bed.plane import PlaneSettings
from foretide.cli.bed.processes import BedFailed
from foretide.operator.schema import crd_path

START_S, STOP_S = 1.0, 0.2
"""How long pods take to become ready, and to go, when a test's pods do not say (foretide.io/start-delay)."""
HPA_FLAGS = (
    "--vmodule=horizontal=4",
    f"--horizontal-pod-autoscaler-downscale-stabilization={DOWNSCALE_S}s",
)
"""Every sync of an HPA is in the controller's log."""
_numbers = count(1)


@pytest.fixture(scope="session")
def audit_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What service accounts asked of the bed's API server (audit.py)."""
    return tmp_path_factory.mktemp("audit") / "audit.log"


@pytest.fixture(scope="session")
def bed(audit_log: Path) -> Iterator[Bed]:
    """etcd, API server, controllers, scheduler, KWOK and Prometheus; no nodes yet."""
    settings = PlaneSettings(
        pods=PodTimes(start_s=START_S, stop_s=STOP_S),
        controller_flags=HPA_FLAGS,
        apiserver_flags=audit_flags(audit_log),
    )
    with Bed.start(settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def with_crd(bed: Bed) -> Bed:
    """The bed with an API server that knows InferenceAutoscalers."""
    bed.kubectl("apply", "-f", str(crd_path()))
    established(bed, "inferenceautoscalers.autoscaling.foretide.io")
    return bed


@pytest.fixture
def namespace(bed: Bed) -> Iterator[str]:
    """A fresh namespace, emptied again after the test."""
    name = f"test-{next(_numbers)}"
    bed.add_namespace(name)
    yield name
    with suppress(BedFailed):
        bed.kubectl("delete", "namespace", name, "--wait=false")
