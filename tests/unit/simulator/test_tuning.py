"""Runs of the tuner: sums by hand, roles as planned, and the grid's best."""

from dataclasses import replace

import pytest
from served import PLAIN
from shown import shown

from foretide.policies.concurrency.limit_rule import Fixed, Rule
from foretide.policies.concurrency.shield import Promise, Shield
from foretide.policies.concurrency.window import Bounds
from foretide.policies.flow import LatencyTarget, Objective
from foretide.simulator.drift import Drift
from foretide.simulator.tuned import Setup, TunedReplica, step_model
from foretide.simulator.tuning import best_static, fleet_tally, run_agent, run_shielded, tally

SETUP = Setup(
    PLAIN,
    Objective(ttft=LatencyTarget(99, 2.0), tpot=LatencyTarget(99, 0.05)),
    Drift(day_rps=4.0, night_rps=4.0),
    Bounds(1, 64),
    windows=8,
    window_s=20.0,
    utilization=None,
)


def guarded(promise: Promise) -> Shield:
    rule = Rule(step_model(PLAIN), tpot_s=SETUP.tpot_s, bounds=SETUP.bounds)
    return Shield(Fixed(SETUP.bounds.most), rule, bounds=SETUP.bounds, promise=promise)


def test_windows_count_by_weight_and_by_the_replicas_they_stand_for() -> None:
    many = replace(shown(good=100, ended=150, refused=50), replicas=3.0)
    found = tally([(shown(good=90, ended=100), 1.0), (many, 0.5)])
    assert (found.good, found.asked) == (90 + 150, 100 + 300)
    assert found.gpu_seconds == 30 + 45
    assert found.goodput == pytest.approx(240 / 75)
    assert found.attainment == pytest.approx(0.6)


def test_nothing_asked_is_nothing_missed() -> None:
    assert tally([(shown(good=0, ended=0), 1.0)]).attainment == 1.0


def test_an_agent_sets_the_limit_of_every_window() -> None:
    windows = run_agent(Fixed(7), SETUP, seed=3)
    replica = TunedReplica(SETUP, seed=3)
    assert windows == [replica.run(7) for _ in range(8)]


def test_an_agent_out_of_bounds_is_brought_back() -> None:
    assert {window.limit for window in run_agent(Fixed(900), SETUP, seed=3)} == {64}


def test_without_exploring_a_shielded_fleet_is_the_rule_on_its_first_replica() -> None:
    rule = Rule(step_model(PLAIN), tpot_s=SETUP.tpot_s, bounds=SETUP.bounds)
    turns = run_shielded(guarded(Promise(loss_budget=0.0)), SETUP, seed=3)
    assert [turn.outcome.fleet for turn in turns] == run_agent(rule, SETUP, seed=3)
    assert all(turn.outcome.control is turn.outcome.canary is None for turn in turns)


def test_roles_run_what_was_planned_for_them() -> None:
    turns = run_shielded(guarded(Promise()), SETUP, seed=3)
    for turn in turns:
        told = turn.outcome
        limits = [None if window is None else window.limit for window in (told.fleet, told.control, told.canary)]
        assert limits == [turn.plan.fleet, turn.plan.control, turn.plan.canary]
    assert any(turn.plan.canary for turn in turns)


def test_a_fleet_of_ten_is_eight_parts_its_first_replica() -> None:
    turns = run_shielded(guarded(Promise(replicas=10)), SETUP, seed=3)
    asked = fleet_tally(turns).gpu_seconds
    assert asked == pytest.approx(8 * 20.0)


def test_the_best_static_limit_is_that_of_the_highest_mean() -> None:
    best, found = best_static(SETUP, (2, 16, 64), seeds=(1, 2))
    means = {
        limit: sum(
            tally([(window, 1.0) for window in run_agent(Fixed(limit), SETUP, seed=seed)]).goodput for seed in (1, 2)
        )
        / 2
        for limit in (2, 16, 64)
    }
    assert found == pytest.approx(means)
    assert means[best] == max(means.values())
