"""Every fault of cases.py, once: nothing is lowered wrongly, and the operator acts again."""

import os
from pathlib import Path

import pytest
from chaos.cases import FAULTS, Fault
from chaos.judge import run

from foretide.cli.bed.bed import Bed
from foretide.operator.schema import crd_path

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
RESULTS = os.environ.get("CHAOS_RESULTS", "")


@pytest.fixture(scope="session")
def knowing_bed(bed: Bed) -> Bed:
    bed.kubectl("apply", "-f", str(crd_path()))
    crd = "crd/inferenceautoscalers.autoscaling.foretide.io"
    bed.kubectl("wait", "--for=condition=Established", "--timeout=30s", crd)
    return bed


def _marks(fault: Fault) -> list[pytest.MarkDecorator]:
    return [pytest.mark.bed] if fault.quick else []


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name, marks=_marks(fault)) for fault in FAULTS])
def test_nothing_is_lowered_wrongly_and_the_operator_acts_again(
    fault: Fault, knowing_bed: Bed, namespace: str, tmp_path: Path
) -> None:
    outcome = run(knowing_bed, namespace, tmp_path, fault)
    if RESULTS:
        outcome.note(Path(RESULTS))
    assert outcome.wrong_downs == 0, outcome
    assert outcome.blind_downs == 0, outcome
    assert outcome.sleeper_wrote == 0, outcome
    assert outcome.sleeper_ended, outcome
