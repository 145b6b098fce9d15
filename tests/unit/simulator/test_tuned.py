"""The world of the tuner: two doors, counted by what must hold whatever the limits are, and the bridge to n*."""

from dataclasses import replace
from math import inf, isnan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import PLAIN

from foretide.policies.concurrency.limit_rule import Lengths
from foretide.policies.concurrency.window import Bounds, Window
from foretide.policies.flow import LatencyTarget, Objective
from foretide.simulator.drift import Drift
from foretide.simulator.engine import Engine
from foretide.simulator.job import Job
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.tuned import Setup, TunedReplica, kept, step_model

PROMISE = Objective(ttft=LatencyTarget(99, 2.0), tpot=LatencyTarget(99, 0.05))
GATEWAY = Setup(
    PLAIN, PROMISE, Drift(day_rps=2.0, night_rps=2.0), Bounds(1, 64), windows=6, window_s=20.0, utilization=None
)
AUTOSCALED = replace(GATEWAY, utilization=0.7, users=70)
LIMITS = st.lists(st.integers(1, 64), min_size=1, max_size=5)


def run(setup: Setup, limits: list[int], *, seed: int = 1) -> list[Window]:
    replica = TunedReplica(setup, seed=seed)
    return [replica.run(limit) for limit in limits]


@settings(max_examples=25, deadline=None)
@given(limits=LIMITS, seed=st.integers(0, 50))
def test_a_gateway_loses_nobody_and_lets_no_more_in_than_its_highest_limit(limits: list[int], seed: int) -> None:
    windows = run(GATEWAY, limits, seed=seed)
    ended, admitted = (sum(getattr(each, name) for each in windows) for name in ("ended", "admitted"))
    assert 0 <= admitted - ended <= max(limits)
    assert all(each.busy <= max(limits) + 1e-9 and 0 <= each.good <= each.ended for each in windows)


def test_demand_at_a_gateway_does_not_depend_on_the_limit() -> None:
    few, many = (run(GATEWAY, [limit] * 6) for limit in (2, 64))
    assert sum(each.admitted + each.refused for each in few) == sum(each.admitted + each.refused for each in many)
    assert sum(each.refused for each in few) > 0 == sum(each.refused for each in many)


@settings(max_examples=25, deadline=None)
@given(limits=LIMITS, seed=st.integers(0, 50))
def test_an_autoscaler_never_gives_more_users_than_the_highest_limit_so_far(limits: list[int], seed: int) -> None:
    windows = run(AUTOSCALED, limits, seed=seed)
    for count, each in enumerate(windows, start=1):
        assert each.busy <= max(1, round(0.7 * max(limits[:count]))) + 1e-9
    assert sum(each.refused for each in windows) == 0


def test_an_autoscaler_keeps_its_share_of_the_limit_busy_and_pays_for_the_rest_in_replicas() -> None:
    last = run(AUTOSCALED, [10, 10, 20, 20])
    assert last[1].busy == pytest.approx(7.0, abs=1e-6)
    assert last[3].busy == pytest.approx(14.0, abs=1e-6)
    assert [each.replicas for each in last] == [10.0, 10.0, 5.0, 5.0]


def test_fewer_users_stay_only_as_long_as_their_answers_take() -> None:
    windows = run(AUTOSCALED, [40, 40, 4, 4, 4])
    assert windows[1].busy == pytest.approx(28.0, abs=1e-6)
    assert windows[4].busy == pytest.approx(3.0, abs=1e-6)


@pytest.mark.parametrize("setup", [GATEWAY, AUTOSCALED])
def test_the_same_seed_and_limits_give_the_same_windows(setup: Setup) -> None:
    limits = [10, 30, 5, 64]
    assert run(setup, limits) == run(setup, limits)
    assert run(setup, limits) != run(setup, limits, seed=2)


def test_without_demand_nothing_is_made_up() -> None:
    silent = replace(GATEWAY, drift=Drift())
    (window,) = run(silent, [10])
    assert (window.admitted, window.ended, window.goodput, window.attainment) == (0, 0, 0.0, None)
    assert isnan(window.prompt_tokens)
    assert isnan(window.output_tokens)


def job(*, first: float, output: int) -> Job:
    one = Job(0, 1.0, 100, output)
    one.first = first
    return one


def test_a_request_is_good_within_every_threshold_both_ends_included() -> None:
    # binary fractions, so that the borders are exact
    promise = Objective(ttft=LatencyTarget(99, 2.0), tpot=LatencyTarget(99, 0.0625))
    assert kept(promise, job(first=3.0, output=11), 3.625)
    assert not kept(promise, job(first=3.0, output=11), 3.75)
    assert not kept(promise, job(first=3.5, output=11), 4.0)
    assert not kept(Objective(e2e=LatencyTarget(99, 1.0)), job(first=1.5, output=11), 2.5)


def test_one_token_has_no_time_per_token() -> None:
    assert kept(PROMISE, job(first=2.0, output=1), 2.0)


def test_steps_of_the_rule_are_those_of_the_engine_at_mean_lengths() -> None:
    deployment = Deployment(find_profile(model="Llama-3.1-70B", gpu="H100", tp=4), speed_factor=1.1)
    model, engine, lengths = step_model(deployment), Engine(deployment), Lengths(1155.0, 211.0)
    for running in (1, 20, 90):
        prefill = running * lengths.prompt / lengths.output
        told = engine.step_s(decodes=running, context=running * lengths.context, prefill=prefill, prompt=lengths.prompt)
        assert model.step_s(running, lengths) == pytest.approx(told, rel=1e-4)


@pytest.mark.parametrize("limit", [0, 65])
def test_a_limit_out_of_bounds_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit: {limit}: give one from 1 to 64"):
        run(GATEWAY, [limit])


def test_setups_that_cannot_run_are_refused() -> None:
    with pytest.raises(ValueError, match=r"utilization: 1\.5: give a share"):
        replace(GATEWAY, utilization=1.5)
    with pytest.raises(ValueError, match="windows: 6 of inf s"):
        replace(GATEWAY, window_s=inf)
