"""The speed factor: read from what engines show, learned with forgetting, unlearned where it changed."""

from dataclasses import replace
from math import exp, inf, log, nan, sqrt

import numpy as np
import pytest
from given import evidence
from hypothesis import given
from hypothesis import strategies as st
from seen import steady_pod

from foretide.policies.demand import EngineSamples
from foretide.policies.flow import frozen
from foretide.policies.service import StepCost
from foretide.policies.speed import (
    LEAST_SPREAD,
    SLOWER_AFTER,
    Pace,
    Speed,
    at_speed,
    learned_speed,
    log_factor,
    pace_of,
)

STEPS = StepCost(decode=(0.010, 0.0002, 1e-8), prefill=(0.005, 2e-5, 0.0), chunk=2048)
PRIOR = (0.0, 0.05)
FACTORS = st.floats(0.5, 2.0)


def pace(factor: float = 1.0, *, batch: float = 20.0, requests: float = 2.0, **changes: float) -> Pace:
    """What a replica shows whose every step takes `factor` times as long, by adding up the steps of one second."""
    context = 1000.0 + 200.0 / 2
    mixed, decode = factor * STEPS.mixed_s(1000.0, batch, context), factor * STEPS.decode_s(batch, context)
    steps = requests + (1.0 - requests * mixed) / decode
    usual = Pace(1.0 / steps, 6000.0, batch, requests, prompt_tokens=1000.0, output_tokens=200.0, age_s=600.0)
    return replace(usual, **changes)


@given(factor=FACTORS, batch=st.floats(1, 100), requests=st.floats(0, 8))
def test_the_factor_of_the_steps_is_found_again(factor: float, batch: float, requests: float) -> None:
    seen = log_factor([pace(factor, batch=batch, requests=requests)], STEPS)
    assert seen == pytest.approx(log(factor), abs=1e-9)


@pytest.mark.parametrize("spoilt", [{"age_s": 60.0}, {"tokens": 10.0}, {"gap_s": nan}, {"gap_s": 0.0}, {"gap_s": inf}])
def test_a_replica_that_warms_up_or_says_too_little_or_nonsense_teaches_nothing(spoilt: dict[str, float]) -> None:
    assert log_factor([pace(2.0, **spoilt)], STEPS) is None
    assert log_factor([pace(2.0, **spoilt), pace(1.1)], STEPS) == pytest.approx(log(1.1))


def test_replicas_count_by_their_tokens() -> None:
    both = [pace(1.0, tokens=9000.0), pace(2.0, tokens=1000.0)]
    assert log_factor(both, STEPS) == pytest.approx(0.1 * log(2.0))


def learned(observations: list[float | None], *, prior: tuple[float, float] = PRIOR) -> Speed:
    speed = Speed()
    for seen in observations:
        speed = learned_speed(speed, prior=prior, seen=seen)
    return speed


@given(truth=st.floats(-0.1, 0.1), noise=st.floats(0.0, 0.04), seed=st.integers(0, 99))
def test_the_mean_comes_to_the_truth_and_the_interval_holds_it(truth: float, noise: float, seed: int) -> None:
    found = learned(list(np.random.default_rng(seed).normal(truth, noise, 60)))
    assert found.mean == pytest.approx(truth, abs=4 * noise / sqrt(25) + 0.012)
    assert abs(found.mean - truth) < 4 * found.sd
    assert found.sd >= LEAST_SPREAD


def test_no_number_of_observations_makes_it_surer_than_the_profile_is() -> None:
    assert learned([0.0] * 1000).sd >= LEAST_SPREAD


def test_a_silent_slow_down_is_believed_at_the_second_sight_and_a_speed_up_at_the_fifth() -> None:
    calm = learned([0.01, -0.01] * 15)
    slow = learned_speed(calm, prior=PRIOR, seen=log(1.3))
    assert slow.mean == calm.mean, "one may be a mistake"
    slow = learned_speed(slow, prior=PRIOR, seen=log(1.3))
    assert (slow.mean, slow.changes) == (pytest.approx(log(1.3), abs=0.01), 1)
    fast = slow
    for times in range(5):
        assert fast.mean == pytest.approx(log(1.3), abs=0.01), times
        fast = learned_speed(fast, prior=PRIOR, seen=0.0)
    assert (fast.mean, fast.changes) == (pytest.approx(0.0, abs=0.01), 2)


def test_surprises_in_both_directions_are_noise_and_change_nothing() -> None:
    calm = learned([0.01, -0.01] * 15)
    found = calm
    for _ in range(10):
        for seen in (log(1.5), log(0.6)):
            found = learned_speed(found, prior=PRIOR, seen=seen)
    assert (found.mean, found.changes) == (calm.mean, 0)


def test_an_expected_observation_makes_earlier_surprises_forgotten() -> None:
    speed = learned([0.01, -0.01] * 15)
    for _ in range(5):
        for seen in [log(1.3)] * (SLOWER_AFTER - 1) + [0.0]:
            speed = learned_speed(speed, prior=PRIOR, seen=seen)
    assert speed.changes == 0


@given(st.lists(st.one_of(st.none(), st.floats(), st.just(log(1.2))), max_size=40))
def test_whatever_is_seen_the_factor_stays_finite_and_within_its_bounds(observations: list[float | None]) -> None:
    found = learned(observations)
    assert 0.2 <= exp(found.mean) <= 5.0
    assert 0 < found.sd < inf
    assert 0 <= found.weight < inf


def test_until_something_is_seen_the_prior_stands_and_the_service_is_as_it_was() -> None:
    assert (learned([None, nan]).mean, learned([None, nan], prior=(0.1, 0.08)).sd) == (0.0, 0.08)
    service = evidence().service
    assert at_speed(service, learned([None, 99.0])) is service


def test_the_service_takes_over_what_was_learned() -> None:
    slow = at_speed(evidence().service, learned([log(1.3)] * 20, prior=(log(1.3), 0.05)))
    factor, low, high = slow.speed()
    assert low < 1.3 < high
    assert factor == pytest.approx(1.3, rel=0.01)
    assert slow.observed == 20


def with_gaps(gap_s: float = 0.02, *, rate: float = 2.0) -> EngineSamples:
    pod = steady_pod(rate, until=300.0)
    gaps = pod.output_tokens - pod.finished
    running = frozen(np.full(len(pod.at), 8.0))
    return replace(pod, running=running, gaps=frozen(gaps), gap_s=frozen(gap_s * gaps))


def test_a_pace_is_read_from_counters_between_two_scrapes() -> None:
    found = pace_of(with_gaps(), since=240.0)
    assert found is not None
    assert (found.gap_s, found.batch, found.requests) == (pytest.approx(0.02), 8.0, pytest.approx(2.0))
    assert (found.prompt_tokens, found.output_tokens, found.age_s) == (1000.0, 200.0, 300.0)
    assert found.tokens == pytest.approx(60 * 2.0 * 199)


def test_an_engine_without_gaps_or_restarted_or_idle_or_seen_once_has_no_pace() -> None:
    whole = with_gaps()
    assert whole.gaps is not None
    restarted = whole.gaps.copy()
    restarted[-2:] -= restarted[-3]
    assert pace_of(replace(whole, gaps=None), since=0.0) is None
    assert pace_of(replace(whole, gaps=frozen(restarted)), since=0.0) is None
    assert pace_of(replace(whole, running=frozen(np.zeros(len(whole.at)))), since=0.0) is None
    assert pace_of(with_gaps(rate=0.0), since=0.0) is None
    assert pace_of(whole, since=300.0) is None


def test_a_token_sees_a_batch_as_often_as_the_batch_is_large() -> None:
    whole = with_gaps()
    running = np.where(np.arange(len(whole.at)) % 2, 10.0, 0.0)[: len(whole.at)]
    found = pace_of(replace(whole, running=frozen(running)), since=0.0)
    assert found is not None
    assert found.batch == pytest.approx(10.0)


def test_a_slower_replica_weighs_more_and_as_the_simulator_measured_it() -> None:
    plain = evidence().service
    assert plain.weight(np.log([0.5, 1.0, 2.0])) == pytest.approx([0.5, 1.0, 2.0])
    steep = replace(plain, loads=((log(0.5), log(0.4)), (0.0, 0.0), (log(2.0), log(4.0))))
    assert steep.weight(np.log([0.5, 1.0, sqrt(2.0), 2.0])) == pytest.approx([0.4, 1.0, 2.0, 4.0])
    assert steep.weight(np.log([0.25, 4.0])) == pytest.approx([0.2, 8.0]), "in proportion beyond what was measured"
