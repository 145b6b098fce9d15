"""Every fault of cases.py, once: nothing is lowered wrongly, and the operator acts again."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.cases import FAULTS, Fault
from chaos.judge import run
from chaos.past import Past
from chaos.rig import INFA, Rig, rig

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import wait_for
from foretide.operator.schema import crd_path

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
RATE = 3.0
"""Requests/s, all the time."""
RESULTS = os.environ.get("CHAOS_RESULTS", "")


@pytest.fixture(scope="module")
def world(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Replicas under a steady demand and an operator that has watched them: the same for all faults."""
    bed.kubectl("apply", "-f", str(crd_path()))
    # `kubectl wait` fails where it looks before the first condition stands.
    wait_for(lambda: "items" in Past(bed).get(f"{INFA}/inferenceautoscalers"), what="the CRD")
    bed.add_namespace("chaos")
    with rig(bed, "chaos", tmp_path_factory.mktemp("chaos"), replicas=10, rate=RATE) as made:
        made.add_operator()
        yield made


def _marks(fault: Fault) -> list[pytest.MarkDecorator]:
    return [pytest.mark.bed] if fault.quick else []


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name, marks=_marks(fault)) for fault in FAULTS])
def test_nothing_is_lowered_wrongly_and_the_operator_acts_again(fault: Fault, world: Rig) -> None:
    outcome = run(world, fault)
    if RESULTS:
        outcome.note(Path(RESULTS))
    assert outcome.acted_s is not None, outcome
    assert outcome.wrong_downs == 0, outcome
    assert outcome.blind_downs == 0, outcome
    assert outcome.sleeper_wrote == 0, outcome
    assert outcome.sleeper_ended, outcome
