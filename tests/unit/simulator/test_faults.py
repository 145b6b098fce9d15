from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.faults import (
    NEVER,
    Crash,
    Dropout,
    Failures,
    Fault,
    Slowdown,
    SlowStart,
    is_silent,
    shifted,
    slowed,
    start_factor,
)

NAMES = [f"replica-{number}" for number in range(400)]


def test_a_fault_holds_from_its_time_for_its_duration() -> None:
    faults = (SlowStart(at=10.0, duration_s=5.0, factor=3.0), SlowStart(at=12.0, factor=2.0))
    assert [start_factor(faults, now=now) for now in (9.9, 10.0, 12.0, 15.0, 1e6)] == [1.0, 3.0, 6.0, 2.0, 2.0]


def test_a_share_hits_about_so_many_and_the_same_ones_for_a_seed() -> None:
    faults = (Slowdown(at=0.0, factor=1.3, share=0.25),)
    hit = [name for name in NAMES if slowed(faults, now=1.0, name=name, seed=4) == 1.3]
    assert 70 <= len(hit) <= 130
    assert hit == [name for name in NAMES if slowed(faults, now=50.0, name=name, seed=4) == 1.3]
    assert hit != [name for name in NAMES if slowed(faults, now=1.0, name=name, seed=5) == 1.3]


def test_two_partial_faults_choose_independently() -> None:
    faults = (Dropout(at=0.0, share=0.5), Slowdown(at=0.0, factor=2.0, share=0.5))
    silent = [is_silent(faults, now=1.0, name=name, seed=4) for name in NAMES]
    slow = [slowed(faults, now=1.0, name=name, seed=4) == 2.0 for name in NAMES]
    assert 60 <= sum(a and b for a, b in zip(silent, slow, strict=True)) <= 140


def test_a_whole_fault_hits_everybody_and_ends() -> None:
    faults = (Dropout(at=10.0, duration_s=300.0),)
    assert all(is_silent(faults, now=10.0, name=name, seed=1) for name in NAMES)
    assert not any(is_silent(faults, now=310.0, name=name, seed=1) for name in NAMES)


@given(at=st.floats(0.0, 100.0), duration=st.floats(0.5, 100.0), by=st.floats(0.0, 250.0), now=st.floats(0.0, 100.0))
def test_a_shifted_fault_holds_when_it_did(at: float, duration: float, by: float, now: float) -> None:
    faults: tuple[Fault, ...] = (SlowStart(at=at, duration_s=duration),)
    edges = (at, at + duration)
    if min(abs(now + by - edge) for edge in edges) < 1e-6:
        return
    assert start_factor(shifted(faults, by), now=now) == start_factor(faults, now=now + by)


def test_a_crash_before_the_beginning_is_left_out() -> None:
    assert shifted((Crash(at=5.0), Crash(at=15.0, replicas=2)), 10.0) == (Crash(at=5.0, replicas=2),)


def test_lives_are_exponential_with_the_hazard() -> None:
    failures = Failures(per_replica_hour=2.0)
    lives = np.array([failures.life_s(number=number, seed=7) for number in range(5000)])
    assert lives.mean() == pytest.approx(1800.0, rel=0.06)
    assert lives.std() == pytest.approx(1800.0, rel=0.08)
    assert (lives > 1800.0).mean() == pytest.approx(np.exp(-1.0), abs=0.03)


def test_without_a_hazard_nobody_dies() -> None:
    assert NEVER.life_s(number=0, seed=0) == inf


def test_a_higher_hazard_takes_the_same_replicas_sooner() -> None:
    lives = [Failures(per_replica_hour=rate).life_s(number=3, seed=1) for rate in (1.0, 2.0)]
    assert lives[0] == pytest.approx(2 * lives[1])
