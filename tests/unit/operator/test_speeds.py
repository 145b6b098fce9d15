"""What a target's engines teach of their speed, from turn to turn, over a restart, and on other hardware."""

from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import pytest
from given import evidence
from hypothesis import given
from hypothesis import strategies as st
from seen import steady_pod

from foretide.operator.speeds import Paced, remembered, speed_told
from foretide.policies.demand import EngineSamples
from foretide.policies.flow import frozen
from foretide.policies.service import StepCost
from foretide.policies.speed import Speed

STEPS = StepCost(decode=(0.02, 0.0, 0.0), prefill=(0.02, 0.0, 0.0), chunk=2048)
"""Every step takes 20 ms, whatever is in it."""
SERVICE = replace(evidence().service, steps=STEPS, log_speed_mean=0.0, log_speed_sd=0.08)
H100 = ("llama", "H100", 1)


def engine(factor: float, *, until: float) -> dict[str, EngineSamples]:
    pod = steady_pod(1.0, until=until, since=until - 210.0)
    gaps = pod.output_tokens
    busy = frozen(np.full(len(pod.at), 4.0))
    return {"a": replace(pod, running=busy, gaps=gaps, gap_s=frozen(0.02 * factor * gaps))}


def test_a_slow_engine_is_learned_within_three_plans_and_told() -> None:
    paced = Paced()
    for minute in range(10):
        paced.learn(SERVICE, engine(1.0, until=300.0 + 60 * minute), hardware=H100)
    for minute in range(3):
        service = paced.learn(SERVICE, engine(1.3, until=900.0 + 60 * minute), hardware=H100)
    assert service.speed()[0] == pytest.approx(1.3, rel=0.02)
    assert paced.speed.changes == 1
    assert float(speed_told(service)["factor"]) == pytest.approx(1.3, rel=0.02)


def test_the_same_samples_teach_only_once() -> None:
    paced = Paced()
    paced.learn(SERVICE, engine(1.0, until=300.0), hardware=H100)
    again = paced.learn(SERVICE, engine(1.0, until=300.0), hardware=H100)
    assert again.observed == 1


def test_other_hardware_starts_anew_and_without_a_profile_nothing_is_learned() -> None:
    paced = Paced()
    for minute in range(5):
        paced.learn(SERVICE, engine(1.3, until=300.0 + 60 * minute), hardware=H100)
    fresh = paced.learn(SERVICE, {}, hardware=("llama", "A100", 1))
    assert (fresh.observed, fresh.log_speed_mean) == (0, 0.0)
    blank = replace(SERVICE, steps=None)
    assert Paced().learn(blank, engine(1.3, until=300.0), hardware=H100) is blank


def test_a_new_life_begins_with_what_the_status_says_and_can_unlearn_it() -> None:
    paced = Paced()
    for minute in range(10):
        service = paced.learn(SERVICE, engine(1.3, until=300.0 + 60 * minute), hardware=H100)
    second = Paced(remembered({"lastDecision": {"speed": speed_told(service)}}))
    found = second.learn(SERVICE, {}, hardware=H100)
    assert found.speed()[0] == pytest.approx(1.3, rel=0.02)
    for minute in range(6):
        found = second.learn(SERVICE, engine(1.0, until=1000.0 + 60 * minute), hardware=H100)
    assert found.speed()[0] == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize(
    "told",
    [
        None,
        {},
        {"factor": "1.3", "low": "1.2", "high": "1.4"},
        {"factor": "1.3", "low": "1.2", "high": "1.4", "observations": 0},
        {"factor": "1.3", "low": "1.4", "high": "1.2", "observations": 5},
        {"factor": "NaN", "low": "1.2", "high": "1.4", "observations": 5},
        {"factor": "1.3", "low": "1.2", "high": "900", "observations": 5},
        {"factor": "fast", "low": "1.2", "high": "1.4", "observations": 5},
        {"factor": None, "low": [], "high": {}, "observations": "many"},
    ],
)
def test_a_status_that_makes_no_sense_counts_as_nothing_said(told: Any) -> None:
    assert remembered({"lastDecision": {"speed": told}}) == Speed()
    assert remembered({}) == Speed()


@given(mean=st.floats(log(0.3), log(3.0)), sd=st.floats(0.02, 0.1), observed=st.integers(1, 10**6))
def test_what_is_told_is_found_again(mean: float, sd: float, observed: int) -> None:
    service = replace(SERVICE, log_speed_mean=mean, log_speed_sd=sd, observed=observed)
    found = remembered({"lastDecision": {"speed": speed_told(service)}})
    assert found.mean == pytest.approx(mean, abs=0.01)
    assert found.observed == observed
