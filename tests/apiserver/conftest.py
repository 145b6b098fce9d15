"""A real API server that knows InferenceAutoscalers."""

import pytest

from foretide.cli.bed.bed import Bed
from foretide.operator.schema import crd_path


@pytest.fixture(scope="session")
def with_crd(bed: Bed) -> Bed:
    bed.kubectl("apply", "-f", str(crd_path()))
    bed.kubectl(
        "wait", "--for=condition=Established", "--timeout=30s", "crd/inferenceautoscalers.autoscaling.foretide.io"
    )
    return bed
