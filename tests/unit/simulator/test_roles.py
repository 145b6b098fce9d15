"""The two roles alone: what a prefill replica holds, and what a decode replica takes in."""

from dataclasses import replace
from math import inf

import pytest
import served

from foretide.simulator.job import Job
from foretide.simulator.roles import DecodeReplica, PrefillReplica

PLAIN = replace(served.PLAIN, kv_tokens=10_000)


def prefilled(index: int, prompt: int, output: int) -> Job:
    job = Job(index, 0.0, prompt, output)
    job.target, job.generated, job.first = prompt, 1, 0.0
    return job


def run(replica: PrefillReplica | DecodeReplica) -> None:
    while replica.next_event < inf:
        replica.proceed()


def test_a_prefill_replica_gives_the_first_token_and_holds_the_cache_until_it_is_fetched() -> None:
    replica = PrefillReplica(replace(PLAIN, kv_tokens=1600))
    jobs = [Job(index, 0.0, 1000, 10) for index in range(2)]
    for job in jobs:
        replica.submit(job, 0.0)
    run(replica)
    assert replica.handed == jobs[:1], "the second prompt finds no memory"
    assert (replica.kv_used, replica.outstanding) == (1008, 1)
    replica.let_go(jobs[0], 5.0)
    run(replica)
    assert replica.handed == jobs
    assert jobs[1].first == pytest.approx(5.0 + (8.0 + 20.0 + 1.0) / 1000)


def test_a_prefill_replica_ends_what_needs_no_second_token() -> None:
    replica = PrefillReplica(PLAIN)
    replica.submit(Job(0, 0.0, 100, 1), 0.0)
    run(replica)
    assert (len(replica.done), replica.handed, replica.kv_used) == (1, [], 0)


def test_a_prefix_is_found_after_its_cache_was_fetched() -> None:
    replica = PrefillReplica(replace(PLAIN, prefix_cache=True))
    for index in range(2):
        job = Job(index, 0.0, 1024, 10, (1, 2), 512)
        replica.submit(job, 10.0 * index)
        run(replica)
        replica.let_go(job, 10.0 * index + 5)
    assert replica.hit_tokens == 1008
    assert replica.kv_used == 0


def test_a_decode_replica_generates_from_the_second_token_on() -> None:
    replica, job = DecodeReplica(PLAIN), prefilled(0, 1000, 3)
    assert replica.reserve(job)
    assert (replica.outstanding, replica.kv_used) == (1, 1008)
    replica.join(job, 1.0)
    run(replica)
    assert replica.done[0][1] == pytest.approx(1.0 + (2 * 10.5 + 0.001 * (1001 + 1002)) / 1000)
    assert (replica.outstanding, replica.kv_used) == (0, 0)


def test_a_decode_replica_takes_in_no_more_than_it_has_memory_and_places_for() -> None:
    replica = DecodeReplica(replace(PLAIN, kv_tokens=1600))
    assert replica.reserve(prefilled(0, 1000, 3))
    assert not replica.reserve(prefilled(1, 1000, 3))
    assert replica.reserve(prefilled(2, 500, 3))
    small = DecodeReplica(replace(PLAIN, max_num_seqs=1))
    assert [small.reserve(prefilled(index, 10, 3)) for index in range(2)] == [True, False]


def test_who_is_preempted_is_computed_again_on_the_spot_and_goes_before_newcomers() -> None:
    replica = DecodeReplica(replace(PLAIN, kv_tokens=1200))
    jobs = [prefilled(index, 500, 300) for index in range(2)]
    for job in jobs:
        assert replica.reserve(job)
        replica.join(job, 0.0)
    while not replica.waiting:
        replica.proceed()
        assert replica.kv_used <= replica.kv_tokens
    assert not replica.reserve(prefilled(2, 16, 2))
    run(replica)
    assert [job.index for job, _ in replica.done] == [0, 1]
    assert replica.output_tokens == 600
