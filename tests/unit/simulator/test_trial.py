import numpy as np
import pytest
from staged import SERVICE, bench, scenario

from foretide.simulator.generate import WorkloadShape
from foretide.simulator.ground import Ground, Part
from foretide.simulator.knobs import Knob, Scale
from foretide.simulator.rivals import FixedCount
from foretide.simulator.run import run_policy
from foretide.simulator.score import attainment
from foretide.simulator.spread import Workers, spread
from foretide.simulator.trial import BLOCKS, Setting, Trial, demanding, measured, run_trial

REPLICAS = Knob("replicas", 1.0, 8.0, Scale.COUNT)
GROUND = Ground(scenario(source=WorkloadShape(mean_rps=8.0, day_s=600.0)), SERVICE, None)


def static(count: float) -> Setting:
    return Setting("static", REPLICAS, count)


def test_blocks_add_up_to_the_run() -> None:
    staged = bench(2.0, 30.0, 2.0)
    run = run_policy(bench=staged, autoscaler=FixedCount("static", 1))
    found = measured(run, bench=staged)
    assert found.gpu_hours.shape == found.requests.shape == found.kept.shape == (BLOCKS,)
    assert found.gpu_hours.sum() == pytest.approx(run.gpu_hours)
    assert found.requests.sum() == len(staged.trace)
    joint = attainment(outcome=run.outcome, objective=staged.scenario.objective)["joint"]
    assert found.joint == pytest.approx(joint)


def test_a_request_counts_in_the_block_of_its_arrival() -> None:
    staged = bench(1.0, 12.0)
    found = measured(run_policy(bench=staged, autoscaler=FixedCount("static", 8)), bench=staged)
    assert found.requests[: BLOCKS // 2 - 1] == pytest.approx(5.0, abs=1.0)
    assert found.requests[BLOCKS // 2 + 1 :] == pytest.approx(60.0, abs=1.0)


def test_a_trial_is_the_same_every_time() -> None:
    trial = Trial(static(2.0), Part.EVALUATION, 3)
    one, other = run_trial(GROUND, trial), run_trial(GROUND, trial)
    np.testing.assert_array_equal(one.kept, other.kept)
    np.testing.assert_array_equal(one.gpu_hours, other.gpu_hours)


def test_processes_change_nothing() -> None:
    trials = [Trial(static(count), Part.EVALUATION, 3) for count in (1.0, 2.0)]
    elsewhere = spread(run_trial, trials, shared=GROUND, workers=Workers(jobs=2))
    for trial, found in zip(trials, elsewhere, strict=True):
        np.testing.assert_array_equal(found.kept, run_trial(GROUND, trial).kept)


def test_more_replicas_cost_more_and_keep_more() -> None:
    few, many = (run_trial(GROUND, Trial(static(count), Part.TRAINING, 3)) for count in (1.0, 4.0))
    assert few.gpu_hours.sum() < many.gpu_hours.sum()
    assert few.joint <= many.joint


def test_the_oracle_may_take_the_orders_of_a_rival() -> None:
    rival = run_trial(GROUND, Trial(static(2.0), Part.EVALUATION, 3))
    hindsight = run_trial(GROUND, Trial(Setting("oracle", None, 0.9), Part.EVALUATION, 3, others=(static(2.0),)))
    assert rival.joint >= 0.9
    assert hindsight.joint >= 0.9
    assert hindsight.gpu_hours.sum() <= rival.gpu_hours.sum()


def test_the_oracle_is_asked_for_the_attainment_itself() -> None:
    staged = bench(2.0)
    assert demanding(staged, 0.95).scenario.objective.required_joint() == pytest.approx(0.95)
    assert demanding(staged, None) is staged
