"""The prefix cache against a list of single blocks kept by the published rules, and against a real trace."""

import os
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import PLAIN, drive

from foretide.policies.flow import frozen
from foretide.simulator.fleet import Fleet, StartTier
from foretide.simulator.job import Job
from foretide.simulator.prefix import PrefixCache
from foretide.simulator.replica import Replica
from foretide.simulator.requests import Blocks, RequestTrace, read_requests

BLOCK, HASHED = 4, 12
CACHED = replace(PLAIN, prefix_cache=True)


@dataclass
class Ways:
    """A prompt as a way down a tree of hash ids: two prompts share what they share of their ways."""

    steps: tuple[int, ...]
    tail: int
    """Tokens after the last whole hashed block."""
    output: int
    ids: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        prefixes = [self.steps[: depth + 1] for depth in range(len(self.steps))]
        self.ids = tuple(hash(prefix) for prefix in prefixes)

    def job(self, index: int, arrival: float = 0.0) -> Job:
        prompt = len(self.steps) * HASHED + self.tail
        return Job(index, arrival, prompt, self.output, self.ids, HASHED)


ways = st.builds(
    Ways,
    steps=st.lists(st.integers(0, 1), max_size=5).map(tuple),
    tail=st.integers(1, 11),
    output=st.integers(1, 20),
)


class BlockList:
    """vLLM V1's rules on single blocks: hits in whole blocks, at most all but the last token; freed from the end back;
    the block that was free longest goes first. Requests come one after another, so nothing runs when one begins."""

    def __init__(self, room: int) -> None:
        self.room = room // BLOCK
        self.free: OrderedDict[object, None] = OrderedDict()

    def serve(self, job: Job) -> int:
        names: list[object] = [(job.blocks[at // HASHED], at % HASHED) for at in range(0, self.hashed(job), BLOCK)]
        most = (job.prompt - 1) // BLOCK
        hits = next((place for place, name in enumerate(names) if name not in self.free), len(names))
        whole = (job.prompt + job.output - 1) // BLOCK
        names += [(job.index, "alone", place) for place in range(whole - len(names))]
        for name in names:
            self.free.pop(name, None)
        last = -(-(job.prompt + job.output - 1) // BLOCK)
        while len(self.free) > self.room - last:
            self.free.popitem(last=False)
        for name in reversed(names):
            self.free[name] = None
        return min(hits, most) * BLOCK

    @staticmethod
    def hashed(job: Job) -> int:
        return len(job.blocks) * HASHED


def one_after_another(replica: Replica, jobs: list[Job]) -> list[int]:
    """Tokens that each found in the cache."""
    found = []
    for job in jobs:
        before = replica.hit_tokens
        replica.submit(job, job.arrival)
        while replica.next_event < inf:
            replica.proceed()
        found.append(replica.hit_tokens - before)
    return found


@settings(max_examples=200, deadline=None)
@given(given_ways=st.lists(ways, min_size=1, max_size=20), room=st.sampled_from([96, 120, 200, 400, 4000]))
def test_what_is_found_is_what_a_list_of_blocks_would_hold(given_ways: list[Ways], room: int) -> None:
    jobs = [way.job(index, 100.0 * index) for index, way in enumerate(given_ways)]
    listed = BlockList(room)
    expected = [listed.serve(job) for job in jobs]
    replica = Replica(replace(CACHED, kv_tokens=room, block_tokens=BLOCK))
    assert one_after_another(replica, jobs) == expected


def at_once(replica: Replica, jobs: list[Job]) -> dict[int, tuple[float, float]]:
    def within_bounds() -> None:
        assert replica.kv_used <= replica.kv_tokens
        assert all(0 <= replica.cached_tokens(job) < job.prompt for job in jobs)

    return drive(replica, sorted(jobs, key=lambda job: job.arrival), within_bounds)


arrivals = st.lists(st.floats(0, 1), min_size=20, max_size=20)


@settings(max_examples=150, deadline=None)
@given(given_ways=st.lists(ways, min_size=1, max_size=20), at=arrivals, room=st.sampled_from([96, 160, 400, 4000]))
def test_at_once_and_in_any_room_all_end_and_the_cache_is_never_exceeded(
    given_ways: list[Ways], at: list[float], room: int
) -> None:
    jobs = [way.job(index, at[index]) for index, way in enumerate(given_ways)]
    replica = Replica(replace(CACHED, kv_tokens=room, block_tokens=BLOCK, chunk=32))
    ended = at_once(replica, jobs)
    assert sorted(ended) == list(range(len(jobs)))
    assert replica.output_tokens == sum(job.output for job in jobs)
    assert replica.prompt_tokens == sum(job.prompt for job in jobs)
    assert replica.kv_used == 0, "nobody holds anything"


@settings(max_examples=60, deadline=None)
@given(given_ways=st.lists(ways, min_size=1, max_size=20), at=arrivals)
def test_prompts_that_share_nothing_take_as_long_as_without_a_cache(given_ways: list[Ways], at: list[float]) -> None:
    def jobs() -> list[Job]:
        made = [way.job(index, at[index]) for index, way in enumerate(given_ways)]
        for job in made:
            job.blocks = tuple(1000 * job.index + place for place in range(len(job.blocks)))
        return made

    assert at_once(Replica(CACHED), jobs()) == at_once(Replica(PLAIN), jobs())


@settings(max_examples=60, deadline=None)
@given(given_ways=st.lists(ways, min_size=1, max_size=20), at=arrivals)
def test_in_an_empty_engine_the_first_token_comes_sooner_exactly_where_something_was_found(
    given_ways: list[Ways], at: list[float]
) -> None:
    replica = Replica(replace(CACHED, block_tokens=BLOCK))
    jobs = [way.job(index, 100.0 * index) for index, way in enumerate(given_ways)]
    alone = [Replica(PLAIN) for _ in jobs]
    for job, found, other in zip(jobs, one_after_another(replica, jobs), alone, strict=True):
        plain = Job(0, 0.0, job.prompt, job.output)
        one_after_another(other, [plain])
        assert (job.first - job.arrival < plain.first - 1e-9) == (found > 0)


def test_two_that_run_together_hold_their_common_blocks_once() -> None:
    one, two = (Replica(replace(each, kv_tokens=2000)) for each in (CACHED, PLAIN))
    for replica in (one, two):
        replica.submit(Job(0, 0.0, 1030, 50, (1, 2), 512), 0.0)
        replica.proceed()
        replica.submit(Job(1, 0.1, 1030, 50, (1, 2), 512), 0.1)
        replica.proceed()
    assert one.running == 2
    assert one.kv_used < 1024 + 2 * 48
    assert two.running == 1, "without sharing the second one does not fit"


def test_a_prompt_that_is_there_whole_still_computes_its_last_block() -> None:
    replica = Replica(CACHED)
    jobs = [Job(index, 100.0 * index, 1024, 2, (1, 2), 512) for index in range(2)]
    assert one_after_another(replica, jobs) == [0, 1024 - 16]


def test_what_is_being_computed_is_found_up_to_the_step_under_way() -> None:
    replica = Replica(replace(CACHED, chunk=600))
    replica.submit(Job(0, 0.0, 2048, 2, (1, 2, 3, 4), 512), 0.0)
    late = Job(1, 0.0, 2048, 2, (1, 2, 3, 4), 512)
    assert replica.cached_tokens(late) == 592
    replica.proceed()
    assert replica.cached_tokens(late) == 1200


def test_an_answer_is_found_by_the_next_turn_where_ids_reach_over_it() -> None:
    """The second prompt of a session holds the first one and its answer."""
    replica = Replica(CACHED)
    jobs = [Job(0, 0.0, 500, 301, (1, 2, 3), 256), Job(1, 100.0, 1024, 2, (1, 2, 3, 4), 256)]
    assert one_after_another(replica, jobs) == [0, 768]


def test_a_preempted_request_finds_what_was_not_taken_from_it() -> None:
    tight = replace(CACHED, kv_tokens=1200)
    with_cache, without = Replica(tight), Replica(replace(tight, prefix_cache=False))
    ends = []
    for replica in (with_cache, without):
        ended = drive(replica, [Job(0, 0.0, 500, 300), Job(1, 0.0, 500, 300)])
        ends.append(ended[1][1])
    assert ends[0] < ends[1]
    assert with_cache.hit_tokens > 0


@pytest.mark.data
@pytest.mark.parametrize("block", [1, 16])
def test_an_endless_cache_finds_in_a_real_trace_what_its_publisher_counts(block: int) -> None:
    """Leading ids seen before in Mooncake's synthetic trace; their last block may be cut short."""
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip("FORETIDE_DATA is not set: requests/mooncake_synthetic.parquet was not checked")
    path = Path(folder) / "requests/mooncake_synthetic.parquet"
    trace, table = read_requests(path), pd.read_parquet(path)
    assert trace.blocks is not None
    replica = Replica(replace(CACHED, kv_tokens=10**9, block_tokens=block))
    jobs = [
        Job(index, 1e4 * index, int(prompt), 2, tuple(trace.blocks.of(index).tolist()), trace.blocks.tokens)
        for index, prompt in enumerate(trace.prompt_tokens)
    ]
    seen = table["leading_blocks_seen_before"].to_numpy()
    prompts = trace.prompt_tokens
    least = np.minimum((np.minimum(seen * 512, prompts)) // block, (prompts - 1) // block) * block
    np.testing.assert_array_equal(one_after_another(replica, jobs), least)
    assert seen.sum() / len(trace.blocks.ids) == pytest.approx(0.64, abs=0.005)


def test_memory_is_taken_from_the_longest_idle_first() -> None:
    cache = PrefixCache(16)
    first, second = (Job(index, 0.0, 1025, 1, (10 * index, 10 * index + 1), 512) for index in (1, 2))
    for job in (first, second):
        job.target = job.prompt
        cache.claim(job)
        cache.extend(job, 0, job.target)
        cache.release(job, job.target)
    left = []
    for room in (2048, 1536, 1500, 1024, 500, 0):
        cache.evict(room)
        left.append((cache.hit(first, 1025), cache.hit(second, 1025)))
    assert left == [(1024, 1024), (512, 1024), (464, 1024), (0, 1024), (0, 496), (0, 0)]


@pytest.mark.parametrize("cached", [False, True])
def test_a_fleet_hands_the_hash_ids_of_its_trace_to_its_replicas(*, cached: bool) -> None:
    prompts, ids = np.full(10, 2048), np.tile(np.arange(4), 10)
    blocks = Blocks(ids, 4 * np.arange(11), 512)
    trace = RequestTrace(frozen(10.0 * np.arange(10)), prompts, np.full(10, 5), blocks)
    deployment = replace(PLAIN, prefix_cache=cached)
    fleet = Fleet(deployment=deployment, trace=trace, replicas=1, cold_start=StartTier(1.0, 0.0), seed=0)
    fleet.advance(inf)
    found = fleet.outcome().ttft_s
    assert (found[1:] < found[0] / 3).all() == cached
