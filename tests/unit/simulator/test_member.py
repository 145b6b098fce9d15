"""A member of a fleet from outside: what its engine counts, and who among the ready is idle."""

from math import inf

import numpy as np
import pytest

from foretide.simulator.member import Member, Observation, PodCounters, Ready
from foretide.simulator.profiles import Deployment, Profile, StepTimes
from foretide.simulator.replica import Job, Replica

STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
DEPLOYMENT = Deployment(Profile("test", "test", 1, STEPS, kv_tokens=20_000, source="a test"))


def member(number: int = 0, *, jobs: int = 0) -> Member:
    made = Member(number, f"replica-{number}", Replica(DEPLOYMENT), 0.0, 0.0)
    for index in range(jobs):
        made.replica.submit(Job(index, 0.0, 100, 10), 0.0)
    return made


def ready(*members: Member) -> Ready:
    made = Ready()
    for one in members:
        made.join(one)
    return made


def test_counters_tell_what_the_engine_has_and_has_done() -> None:
    replica = member(jobs=3).replica
    assert PodCounters.of(replica) == PodCounters(0, 1, 2, 0, 0, 112 / 20_000)
    while replica.next_event < inf:
        replica.proceed()
    assert PodCounters.of(replica) == PodCounters(3, 0, 0, 300, 30, 0.0)


def test_an_observation_has_no_tpot_for_a_single_token() -> None:
    job = Job(0, 1.0, 100, 1)
    job.first = 1.5
    seen = Observation.of(job, 1.5)
    assert (seen.ttft_s, seen.e2e_s) == (0.5, 0.5)
    assert np.isnan(seen.tpot_s)
    longer = Job(0, 1.0, 100, 5)
    longer.first = 2.0
    assert Observation.of(longer, 4.0) == Observation(1.0, 0.5, 3.0, 100, 5)


def test_busy_time_adds_up_from_work_to_rest() -> None:
    one = member()
    one.busy_since = 2.0
    one.settle(5.0)
    one.settle(9.0)
    assert (one.busy_s, one.busy_since) == (3.0, inf)


def test_the_first_and_the_last_of_the_idlest_are_found() -> None:
    members = [member(number, jobs=jobs) for number, jobs in enumerate([2, 1, 3, 1])]
    found = ready(*members)
    assert (found.first_idlest(), found.last_idlest()) == (members[1], members[3])
    found.leave(members[1])
    assert (found.first_idlest(), found.last_idlest()) == (members[3], members[3])
    assert list(found) == [members[0], members[2], members[3]]
    assert len(found) == 3


def test_whoever_does_not_take_part_is_not_counted() -> None:
    first, second = member(0), member(1)
    found = ready(first, second)
    found.leave(second)
    second.replica.submit(Job(0, 0.0, 10, 1), 0.0)
    found.recount(second)
    assert found.first_idlest() is first
    assert first.outstanding == second.outstanding == 0


def test_among_none_there_is_no_idlest() -> None:
    with pytest.raises(IndexError):
        Ready().first_idlest()
