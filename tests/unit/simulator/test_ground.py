import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from staged import SERVICE, scenario, trace

from foretide.simulator.bench import prepare
from foretide.simulator.generate import WorkloadShape
from foretide.simulator.ground import Ground, Part, lay_ground, training_told, with_training_part
from foretide.simulator.scenario import Pace, RequestFile
from foretide.simulator.stress import OutputShift

MINUTES = Pace(step_s=60.0)
MORNING = WorkloadShape(mean_rps=4.0, day_s=1200.0)


@pytest.fixture(autouse=True)
def unmeasured() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("foretide.simulator.bench.service_model", lambda **_: SERVICE)
        yield


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Ten minutes at 2 requests/s, in our own format."""
    file, rows = tmp_path / "r.csv", trace(*[2.0] * 10)
    lines = [f"{at},{p},{o}" for at, p, o in zip(rows.arrival_s, rows.prompt_tokens, rows.output_tokens, strict=True)]
    file.write_text("\n".join(["arrival_s,prompt_tokens,output_tokens", *lines]))
    return file


def test_a_generated_workload_is_tuned_on_another_of_its_traces() -> None:
    staged = scenario(source=MORNING, history_days=2.0)
    ground = lay_ground(staged, seed=0)
    training, evaluation = (ground.bench(part, 0) for part in Part)
    assert len(training.trace) != len(evaluation.trace)
    assert (training.past, evaluation.past) == (None, None)
    assert training.history is not None
    assert evaluation.history is not None
    assert "another generated trace" in training_told(staged)


def test_a_recorded_trace_without_a_training_part_gives_its_first_third(recorded: Path) -> None:
    staged = scenario(source=RequestFile(recorded), pace=MINUTES)
    ground = lay_ground(staged, seed=0)
    training, evaluation = (ground.bench(part, 0) for part in Part)
    assert evaluation.begins_s == 180.0
    assert training.duration_s < 180.0
    assert len(training.trace) + len(evaluation.trace) == 1200
    assert training_told(staged) == "the first 33 % of the trace"


def test_nobody_tunes_on_a_generated_day_of_which_is_known_what_goes_wrong() -> None:
    stress = (OutputShift(factor=3),)
    calm, tried = (lay_ground(scenario(source=MORNING, stress=each), seed=0) for each in ((), stress))
    tuned, untouched = (ground.bench(Part.TRAINING, 0).trace for ground in (tried, calm))
    np.testing.assert_array_equal(tuned.output_tokens, untouched.output_tokens)
    judged, usual = (ground.bench(Part.EVALUATION, 0).trace for ground in (tried, calm))
    np.testing.assert_array_equal(judged.output_tokens, 3 * usual.output_tokens)


def test_a_recorded_trace_is_stressed_where_the_stress_lies(recorded: Path) -> None:
    stress = (OutputShift(at=400.0, factor=3),)
    ground = lay_ground(scenario(source=RequestFile(recorded), pace=MINUTES, stress=stress), seed=0)
    training, evaluation = (ground.bench(part, 0).trace for part in Part)
    assert set(training.output_tokens) == {200}
    np.testing.assert_array_equal(evaluation.output_tokens, np.where(evaluation.arrival_s >= 220.0, 600, 200))


def test_capacity_is_measured_with_the_lengths_that_were_known_before_the_stress() -> None:
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "foretide.simulator.bench.service_model", lambda **told: seen.append(told["output_tokens"]) or SERVICE
        )
        for stress in ((), (OutputShift(factor=3),)):
            prepare(scenario(source=MORNING, stress=stress), seed=0)
    np.testing.assert_array_equal(*seen)


def test_a_training_part_that_is_named_stays(recorded: Path) -> None:
    staged = scenario(source=RequestFile(recorded), train_fraction=0.5, pace=MINUTES)
    assert with_training_part(staged) is staged
    assert lay_ground(staged, seed=0).bench(Part.EVALUATION, 0).begins_s == 240.0


def test_the_training_part_is_known_to_the_evaluation_and_not_to_itself(recorded: Path) -> None:
    ground = lay_ground(scenario(source=RequestFile(recorded)), seed=0)
    training, evaluation = (ground.bench(part, 0) for part in Part)
    assert (training.past, training.history) == (None, None)
    assert evaluation.history is not None
    assert evaluation.history.end == evaluation.begins_s


def test_seeds_change_the_trace_and_policies_do_not() -> None:
    ground = lay_ground(scenario(source=MORNING), seed=0)
    first, again, other = (ground.bench(Part.EVALUATION, seed) for seed in (0, 0, 1))
    assert first is again
    assert len(first.trace) != len(other.trace)


def test_a_changed_rate_is_drawn_anew_for_each_seed(recorded: Path) -> None:
    ground = lay_ground(scenario(source=RequestFile(recorded, scale_rate=3.0)), seed=0)
    assert ground.recorded is not None
    assert len(ground.recorded) == 1200
    one, other = (ground.bench(Part.EVALUATION, seed).trace.arrival_s for seed in (0, 1))
    assert len(one) > 2 * 800
    assert len(one) != len(other) or not np.allclose(one, other)


def test_every_part_stands_on_the_same_service_model() -> None:
    ground = lay_ground(scenario(source=MORNING), seed=0)
    assert {id(ground.bench(part, seed).service) for part in Part for seed in (0, 1)} == {id(ground.service)}


def test_what_workers_are_sent_gives_the_same_benches() -> None:
    ground = lay_ground(scenario(source=MORNING), seed=0)
    sent: Ground = pickle.loads(pickle.dumps(ground))
    ours, theirs = (one.bench(Part.TRAINING, 3) for one in (ground, sent))
    np.testing.assert_array_equal(ours.trace.arrival_s, theirs.trace.arrival_s)
    assert replace(ours.scenario, source=MORNING).name == theirs.scenario.name
    assert ours.initial == theirs.initial
