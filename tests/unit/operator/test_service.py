"""Service models: careful at once, measured later, and honest about what is not known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from given import ONE_WORK_PER_REQUEST, history
from twins import resource

from foretide.operator.resource import Resource, parse
from foretide.operator.service import Question, Services, measured, question_of, sketched
from foretide.policies.flow import DemandHistory, LatencyTarget, Objective, Trust, frozen
from foretide.simulator.profile_file import written
from foretide.simulator.profiles import NoProfile, find_profile

OBJECTIVE = Objective(ttft=LatencyTarget(99.0, 0.5))


def question(**changes: Any) -> Question:
    usual = {"model": "meta-llama/Llama-3.1-8B-Instruct", "accelerator": "H100", "gpus": 1, "objective": OBJECTIVE}
    return Question(**{"prompt_tokens": 1024, "output_tokens": 256} | usual | changes)


def llama(**spec: Any) -> Resource:
    parsed = parse(resource(**spec)).resource
    assert parsed is not None
    return parsed


class Answers:
    """Answers what it was given, and None while that is nothing."""

    def __init__(self) -> None:
        self.given: list[object] = [None]

    def answer(self, *_: object) -> object:
        return self.given[-1]


def services() -> tuple[Services, Answers]:
    found, answers = Services(cache=Path("/nowhere")), Answers()
    found._worker = answers  # type: ignore[assignment]
    return found, answers


def test_a_known_profile_is_sketched_with_its_own_step_times() -> None:
    known, unknown = sketched(question()), sketched(question(model="acme/unknown"))
    assert known.source.startswith("profile of Llama-3.1-8B")
    assert known.work.output_token < unknown.work.output_token
    assert known.log_speed_sd < unknown.log_speed_sd


def test_an_unknown_model_says_so_and_names_what_there_is() -> None:
    found = sketched(question(model="acme/unknown"))
    assert found.source.startswith("wide prior, for want of a profile of acme/unknown (no step times for this model")
    assert "Llama-3.1-8B" in found.source


def test_own_profiles_are_looked_up_and_a_broken_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = find_profile(model="Llama-3.1-8B", gpu="H100", tp=1)
    (tmp_path / "mine.yaml").write_text(written([replace(shipped, model="unknown", source="ours")]))
    monkeypatch.setenv("FORETIDE_PROFILES", str(tmp_path))
    assert sketched(question(model="acme/unknown")).source.startswith("profile of unknown")
    (tmp_path / "mine.yaml").write_text("[")
    assert "not YAML" in sketched(question(model="acme/unknown")).source


def test_a_measurement_without_a_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoProfile):
        measured(question(accelerator="abacus"), tmp_path)


def test_the_sketch_serves_until_the_measurement_is_done() -> None:
    found, answers = services()
    first = found.of(llama(model="Llama-3.1-8B"), history(1.0))
    assert "until the measurement is done" in first.source
    answers.given.append(ONE_WORK_PER_REQUEST)
    assert found.of(llama(model="Llama-3.1-8B"), history(1.0)) is ONE_WORK_PER_REQUEST


def test_while_other_lengths_are_measured_the_old_measurement_stands() -> None:
    found, answers = services()
    answers.given.append(ONE_WORK_PER_REQUEST)
    found.of(llama(), history(1.0))
    answers.given.append(None)
    assert found.of(llama(), history(1.0)) is ONE_WORK_PER_REQUEST


def test_a_measurement_that_fails_leaves_the_sketch(caplog: pytest.LogCaptureFixture) -> None:
    found, answers = services()
    answers.given.append(RuntimeError("boom"))
    assert "careful" in found.of(llama(model="Llama-3.1-8B"), history(1.0)).source
    assert "boom" in caplog.text


def test_lengths_that_nobody_knows_are_the_usual_ones() -> None:
    asked = question_of(llama(), history(float("nan")))
    assert (asked.prompt_tokens, asked.output_tokens) == (1024, 256)


def edgy(mean: float) -> DemandHistory:
    values = np.tile([20.0, 20_000.0, 20.0 * mean], (10, 1))
    return DemandHistory(0.0, 60.0, frozen(values), Trust.FRESH)


def test_lengths_at_an_edge_do_not_ask_to_and_fro() -> None:
    found, answers = services()
    asked: list[Question] = []
    answers.answer = lambda question, _: asked.append(question)  # type: ignore[method-assign, func-returns-value, assignment]
    for mean in (180.0, 182.0) * 5:
        found.of(llama(), edgy(mean))
    assert len(set(asked)) == 1


def test_the_question_names_everything_that_matters() -> None:
    asked = question_of(llama(model="m"), history(1.0))
    assert (asked.model, asked.accelerator, asked.gpus) == ("m", "H100", 1)


def test_the_limit_that_the_tuner_published_is_part_of_the_question() -> None:
    knob = {"objectRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}, "fieldPath": "data.limit"}
    body = resource(concurrency={"knob": knob, "min": 1, "max": 99})
    for status, limit in (({}, None), ({"concurrency": {"limit": 40}}, 40), ({"concurrency": {"limit": "x"}}, None)):
        found = parse(body | {"status": status}).resource
        assert found is not None
        assert question_of(found, edgy(1000.0)).limit == limit
