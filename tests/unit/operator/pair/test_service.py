"""What each role carries: a sketch at once, the measurement when it is done, from disk the next time."""

import time
from pathlib import Path

from given import history
from paired import OUTPUTS, PROMPTS, measured, paired

from foretide.operator.pair.service import RoleQuestion, RoleServices, measured_roles, sketched_roles
from foretide.operator.pair.views import views
from foretide.operator.resource import Resource, parse
from foretide.operator.service import question_of
from foretide.simulator.role_capacity import Roles

MEASURED = Roles(PROMPTS, OUTPUTS)


def resource(**spec: object) -> Resource:
    parsed = parse(paired(**spec)).resource
    assert parsed is not None
    return parsed


def question(**spec: object) -> RoleQuestion:
    return RoleQuestion(*(question_of(view, history(10.0)) for view in views(resource(**spec))))


def test_a_sketch_gives_prompts_to_the_one_role_and_outputs_to_the_other() -> None:
    sketch = sketched_roles(question(model="acme/unknown"))
    assert sketch.prefill.work.prompt_token > 0 == sketch.prefill.work.output_token
    assert sketch.decode.work.output_token > 0 == sketch.decode.work.prompt_token
    assert sketch.prefill.capacity.binding_at(1) == "ttft"
    assert sketch.decode.capacity.binding_at(1) == "tpot"
    assert "wide prior" in sketch.prefill.source


def test_a_sketch_stands_until_the_measurement_is_there(tmp_path: Path) -> None:
    with RoleServices(cache=tmp_path, measure=measured) as services:
        first = services.of(resource(), history(10.0))
        assert "one role" in first.prefill.source
        end = time.monotonic() + 120
        while (found := services.of(resource(), history(10.0))).prefill.source != PROMPTS.source:
            assert time.monotonic() < end
            time.sleep(0.1)
    assert found == MEASURED


def test_what_was_kept_on_disk_is_not_measured_again(tmp_path: Path) -> None:
    import foretide.operator.pair.service as room

    asked = []

    def measure(**given: object) -> Roles:
        asked.append(given)
        return MEASURED

    before, room.role_services = room.role_services, measure  # type: ignore[assignment]
    try:
        once = measured_roles(question(model="meta-llama/Llama-3.1-8B"), tmp_path)
        again = measured_roles(question(model="meta-llama/Llama-3.1-8B"), tmp_path)
    finally:
        room.role_services = before
    assert len(asked) == 1
    assert once.prefill.capacity.total(3) == again.prefill.capacity.total(3) == 30.0
    assert once.decode.work == again.decode.work
