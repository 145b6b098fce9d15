"""One GPU in two shares: the two streams' times, one memory, and the same end for every request."""

from dataclasses import replace

import pytest
import served
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Request, drive, jobs_of

from foretide.simulator.partition import PartitionedReplica, replica_of
from foretide.simulator.profiles import Partition
from foretide.simulator.replica import Replica

PLAIN = replace(served.PLAIN, kv_tokens=10_000)
HALVES = replace(PLAIN, partition=Partition(0.5, 0.4))


def serve(replica: Replica, requests: list[Request]) -> dict[int, tuple[float, float]]:
    def within_bounds() -> None:
        assert replica.kv_used <= replica.kv_tokens
        assert replica.running <= replica.deployment.max_num_seqs

    return drive(replica, jobs_of(requests), within_bounds)


@pytest.mark.parametrize(("share", "knee", "slower"), [(0.5, 0.4, 1.0), (0.8, 0.4, 2.0), (0.25, 0.9, 1.2)])
def test_a_lone_request_has_the_times_of_its_shares(share: float, knee: float, slower: float) -> None:
    replica = replica_of(replace(PLAIN, partition=Partition(share, knee)))
    first, end = serve(replica, [(1.0, 1000, 3)])[0]
    assert first - 1.0 == pytest.approx(0.029 / share)
    assert end - first == pytest.approx(slower * (2 * 10.5 + 0.001 * (1001 + 1002)) / 1000)


def test_a_long_prompt_does_not_hold_up_those_that_generate() -> None:
    requests = [(0.0, 100, 200), (0.5, 9000, 2)]
    together, apart = serve(Replica(PLAIN), requests), serve(PartitionedReplica(HALVES), requests)
    assert together[0][1] > apart[0][1] + 0.1
    assert apart[1][0] > together[1][0], "the prompt has half of the GPU"


@settings(max_examples=120, deadline=None)
@given(
    requests=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 900), st.integers(1, 60)), min_size=1, max_size=25).map(
        sorted
    ),
    room=st.sampled_from([960, 1500, 4000, 100_000]),
    seqs=st.sampled_from([2, 4, 64]),
    share=st.floats(0.1, 0.9),
)
def test_in_any_room_every_request_ends_with_all_its_tokens(
    requests: list[Request], room: int, seqs: int, share: float
) -> None:
    deployment = replace(PLAIN, kv_tokens=room, max_num_seqs=seqs, partition=Partition(share, 0.4))
    replica = replica_of(deployment)
    found = serve(replica, requests)
    assert len(found) == len(requests)
    assert all(first <= end for first, end in found.values())
    assert replica.finished == len(requests)
    assert replica.output_tokens == sum(output for _, _, output in requests)
    assert replica.prompt_tokens == sum(prompt for _, prompt, _ in requests)
    assert (replica.kv_used, replica.outstanding) == (0, 0)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_that_leaves_nothing_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=rf"prefill_share: {share}: give a share above 0 and below 1"):
        Partition(share, 0.4)


def test_what_is_not_simulated_is_refused() -> None:
    with pytest.raises(ValueError, match="prefix_cache: True: is not simulated on a partitioned GPU"):
        replica_of(replace(HALVES, prefix_cache=True))
    with pytest.raises(ValueError, match="partition: none"):
        PartitionedReplica(PLAIN)
