"""Measured runs as a fit sees them: what they had is what is simulated."""

from dataclasses import replace

import numpy as np
import pytest

from foretide.simulator.calibrate import simulate
from foretide.simulator.closed import serve_closed
from foretide.simulator.measured import (
    ALWAYS,
    LEAST_SHARE,
    TOGETHER,
    LoopPoint,
    TimedRun,
    observe,
    observe_loops,
    observe_run,
)
from foretide.simulator.points import Points
from foretide.simulator.profiles import Deployment, Profile, StepTimes
from foretide.simulator.requests import RequestTrace

STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
PLAIN = Deployment(Profile("test", "test", 1, STEPS, kv_tokens=100_000, source="a test"), max_num_seqs=64)


def run_of(deployment: Deployment = PLAIN, count: int = 60) -> TimedRun:
    rng = np.random.default_rng(1)
    arrival = np.cumsum(rng.exponential(0.2, count))
    trace = RequestTrace(arrival - arrival[0], rng.integers(10, 500, count), rng.integers(2, 60, count))
    found = simulate(deployment=deployment, trace=trace, replicas=1)
    return TimedRun(trace, found.ttft_s, found.tpot_s)


def test_a_simulated_run_is_predicted_by_its_own_steps() -> None:
    found = observe_run(run_of(), PLAIN)
    np.testing.assert_allclose(found.predict(STEPS), found.measured_ms)
    assert len(found) == 2 * 60 / TOGETHER
    assert found.metric.tolist() == ["ttft"] * 12 + ["tpot"] * 12


def test_a_deployments_own_factor_is_left_aside() -> None:
    """A fit looks for the steps as they are, so a factor on top of them would count twice."""
    found = observe_run(run_of(), replace(PLAIN, speed_factor=2.0))
    np.testing.assert_allclose(found.predict(STEPS), found.measured_ms)


def test_the_last_third_is_held_out_together() -> None:
    found = observe_run(run_of(), PLAIN)
    assert found.fold.tolist() == ([ALWAYS] * 8 + [0] * 4) * 2


def test_only_the_first_requests_are_seen() -> None:
    run = run_of()
    found = observe_run(run, PLAIN, first=20, name="m.csv")
    assert len(found) == 2 * 20 / TOGETHER
    assert found.described == "20 requests of m.csv"
    assert found.ranges.prompt == (run.trace.prompt_tokens[:20].min(), run.trace.prompt_tokens[:20].max())


def test_times_that_were_not_measured_are_left_out_and_not_taken_for_zero() -> None:
    run = run_of()
    without = TimedRun(run.trace, np.full(60, np.nan), np.where(np.arange(60) % 2 == 0, run.tpot_s, np.nan))
    found = observe_run(without, PLAIN)
    assert set(found.metric) == {"tpot"}
    np.testing.assert_allclose(found.predict(STEPS), found.measured_ms)


def test_the_batch_is_as_large_as_it_was_measured() -> None:
    """Three requests whose decodes overlap in pairs."""
    trace = RequestTrace(np.array([0.0, 1.0, 2.5]), np.array([10, 10, 10]), np.array([3, 3, 3]))
    found = observe_run(TimedRun(trace, np.full(3, 0.1), np.full(3, 1.0)), PLAIN)
    assert found.ranges.batch == (1.0, 2.0)


def test_a_closed_loop_is_predicted_by_the_same_loop() -> None:
    point = LoopPoint(4, 200, 50, ttft_ms=1.0, tpot_ms=1.0, least_share=1.0, requests=12)
    found = observe_loops([point], PLAIN)
    real = serve_closed(deployment=PLAIN, clients=4, prompt_tokens=np.full(12, 200), output_tokens=np.full(12, 50))
    assert found.predict(STEPS) == pytest.approx([1000 * real.ttft_s.mean(), 1000 * real.tpot_s.mean()])


def test_loops_are_held_out_point_by_point() -> None:
    points = [LoopPoint(clients, 200, 50, 100.0, 20.0) for clients in (1, 2, 4, 8, 16, 32)]
    found = observe_loops(points, PLAIN, name="l.csv")
    assert found.fold[:6].tolist() == found.fold[6:].tolist()
    assert len(set(found.fold)) == 3
    assert found.ranges.batch == (1.0, 32.0)
    assert found.ranges.context == (LEAST_SHARE * 200, 250)
    assert found.described == "6 points of l.csv"


def test_each_kind_is_observed_as_what_it_is() -> None:
    points = Points(np.array([True]), np.array([1.0]), np.array([10.0]), np.array([5.0]))
    loops = (LoopPoint(1, 20, 5, 100.0, 20.0),)
    assert [set(observe(each, PLAIN, name="f").metric) for each in (points, run_of(), loops)] == [
        {"decode"},
        {"ttft", "tpot"},
        {"ttft", "tpot"},
    ]


def test_requests_that_never_fit_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="never fits"):
        observe_run(run_of(), replace(PLAIN, kv_tokens=50))
