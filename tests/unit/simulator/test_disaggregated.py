"""Two pools: what a lone request waits, what is conserved in any crowd, and what scaling does."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
import served
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Request

from foretide.policies.flow import frozen
from foretide.simulator.conditions import Conditions
from foretide.simulator.disaggregated import DisaggregatedFleet
from foretide.simulator.profiles import Deployment
from foretide.simulator.requests import RequestTrace
from foretide.simulator.starts import StartTier
from foretide.simulator.transfer import Link

PLAIN = replace(served.PLAIN, profile=replace(served.PLAIN.profile, tp=2), kv_tokens=10_000)
START = StartTier(30.0, 0.0)


def trace_of(requests: list[Request]) -> RequestTrace:
    arrival, prompt, output = zip(*requests, strict=True)
    return RequestTrace(frozen(np.array(arrival, dtype=float)), np.array(prompt), np.array(output))


def fleet_of(
    requests: list[Request],
    *,
    prefill: Deployment = PLAIN,
    decode: Deployment = PLAIN,
    link: Link | None = None,
    replicas: tuple[int, int] = (1, 1),
) -> DisaggregatedFleet:
    return DisaggregatedFleet(
        prefill=prefill,
        decode=decode,
        link=link or Link(1.0, 100_000),
        trace=trace_of(requests),
        prefill_replicas=replicas[0],
        decode_replicas=replicas[1],
        cold_start=START,
        seed=0,
    )


requests_given = st.lists(
    st.tuples(st.floats(0, 3), st.integers(1, 900), st.integers(1, 60)), min_size=1, max_size=25
).map(sorted)


def test_the_first_token_comes_from_the_prefill_and_the_second_after_the_transfer() -> None:
    fleet = fleet_of([(1.0, 1000, 3)])
    fleet.advance(inf)
    found = fleet.outcome()
    assert found.ttft_s[0] == pytest.approx((8.0 + 20.0 + 1.0) / 1000)
    decode = (2 * 10.5 + 0.001 * (1001 + 1002)) / 1000
    assert 2 * found.tpot_s[0] == pytest.approx(1000 * 100_000 / 1e9 + decode)


@settings(max_examples=80, deadline=None)
@given(
    requests=requests_given,
    rooms=st.tuples(st.sampled_from([960, 2000, 10_000]), st.sampled_from([960, 2000, 10_000])),
    replicas=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    serial=st.booleans(),
)
def test_in_any_crowd_every_request_ends_and_nothing_stays_behind(
    requests: list[Request], rooms: tuple[int, int], replicas: tuple[int, int], *, serial: bool
) -> None:
    fleet = fleet_of(
        requests,
        prefill=replace(PLAIN, kv_tokens=rooms[0]),
        decode=replace(PLAIN, kv_tokens=rooms[1]),
        link=Link(1.0, 100_000, serial=serial),
        replicas=replicas,
    )
    for at in np.linspace(0, 10, 21):
        fleet.advance(float(at))
        assert all(0 <= counters.kv_usage <= 1 for counters in fleet.counters().values())
    fleet.advance(1e6)
    found = fleet.outcome()
    assert np.isfinite(found.e2e_s).all()
    assert (found.ttft_s > 0).all()
    counters = fleet.counters()
    assert all((each.running, each.waiting, each.kv_usage) == (0, 0, 0.0) for each in counters.values())
    ended = sum(each.output_tokens for name, each in counters.items() if name.startswith("decode"))
    assert ended == sum(output for _, _, output in requests if output > 1)


@settings(max_examples=40, deadline=None)
@given(requests=requests_given)
def test_with_room_for_all_the_slower_link_never_helps(requests: list[Request]) -> None:
    ends = []
    for rate in (inf, 1.0):
        fleet = fleet_of(requests, link=Link(rate, 100_000, serial=False), decode=replace(PLAIN, kv_tokens=10**6))
        fleet.advance(inf)
        ends.append(fleet.outcome())
    np.testing.assert_allclose(ends[0].ttft_s, ends[1].ttft_s)
    transfers = np.array([prompt * 1e-4 for _, prompt, _ in requests])
    later = np.array([output > 1 for _, _, output in requests])
    assert (ends[1].e2e_s - ends[1].ttft_s >= transfers * later - 1e-9).all()


def test_a_serial_link_carries_one_cache_after_the_other() -> None:
    requests = [(0.0, 500, 2), (0.0, 500, 2)]
    seconds = []
    for serial in (False, True):
        fleet = fleet_of(requests, link=Link(0.1, 100_000, serial=serial), prefill=replace(PLAIN, chunk=4000))
        fleet.advance(inf)
        found = fleet.outcome()
        seconds.append(found.e2e_s - found.ttft_s)
    assert seconds[1][1] - seconds[0][1] == pytest.approx(0.5, abs=0.02)


def test_a_full_decode_pool_holds_up_the_prefill_pool() -> None:
    requests = [(0.0, 900, 200)] * 4
    fleet = fleet_of(requests, prefill=replace(PLAIN, kv_tokens=1920), decode=replace(PLAIN, kv_tokens=1200))
    fleet.advance(inf)
    found = fleet.outcome()
    assert found.ttft_s[3] > found.e2e_s[0], "the fourth prompt waits until a cache was fetched"


def test_more_decode_replicas_are_used_once_they_have_started() -> None:
    requests = [(0.0, 100, 50)] + [(100.0 + 0.001 * i, 100, 500) for i in range(20)]
    fleet = fleet_of(requests)
    fleet.advance(10.0)
    fleet.scale(prefill=2, decode=3)
    assert (fleet.counts().prefill.starting, fleet.counts().decode.starting) == (1, 2)
    fleet.advance(60.0)
    assert (fleet.counts().prefill.ready, fleet.counts().decode.ready) == (2, 3)
    assert fleet.gpu_seconds == pytest.approx(2 * (2 * 60 + 3 * 50))
    fleet.advance(101.0)
    running = [counters.running for name, counters in fleet.counters().items() if name.startswith("decode")]
    assert sorted(running) == [6, 7, 7]


def test_a_pool_at_zero_lets_requests_wait_until_it_is_back() -> None:
    fleet = fleet_of([(5.0, 100, 5), (6.0, 100, 5)])
    fleet.scale(prefill=0, decode=0)
    fleet.advance(10.0)
    assert fleet.gpu_seconds == 0
    fleet.scale(prefill=1)
    fleet.advance(50.0)
    assert fleet.counters()["prefill-1"].output_tokens == 2, "both first tokens are out"
    assert np.isnan(fleet.outcome().e2e_s).all()
    fleet.scale(decode=1)
    fleet.advance(inf)
    assert np.isfinite(fleet.outcome().e2e_s).all()


def test_who_drains_ends_what_it_has_and_then_costs_nothing() -> None:
    fleet = fleet_of([(0.0, 500, 100)] * 3, replicas=(2, 2))
    fleet.advance(0.02)
    fleet.scale(prefill=1, decode=1)
    fleet.advance(100.0)
    assert np.isfinite(fleet.outcome().e2e_s).all()
    counts = fleet.counts()
    assert (counts.prefill.draining, counts.decode.draining) == (0, 0)
    assert fleet.gpu_seconds < 2 * (100 + 100) + 2 * 10


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        ([(0.0, 9999, 10)], r"kv_tokens: 10000: a request of 9999 \+ 10 tokens never fits"),
        ([(0.0, 9000, 10)], r"kv_tokens: 8000: a prompt of 9000 tokens never fits"),
    ],
)
def test_what_never_fits_is_refused_in_one_line(requests: list[Request], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        fleet_of(requests, prefill=replace(PLAIN, kv_tokens=8000))


def test_conditions_that_two_pools_do_not_know_are_refused_instead_of_passed_over() -> None:
    given = {"prefill": PLAIN, "decode": PLAIN, "link": Link(1.0, 100_000), "trace": trace_of([(0.0, 10, 10)])}
    counts = {"prefill_replicas": 1, "decode_replicas": 1, "cold_start": START, "seed": 0}
    DisaggregatedFleet(**given, **counts, conditions=Conditions())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="conditions: two pools know none yet"):
        DisaggregatedFleet(**given, **counts, conditions=Conditions(contention=0.1))  # type: ignore[arg-type]


def test_a_negative_number_of_replicas_is_refused() -> None:
    with pytest.raises(ValueError, match="decode: -1: give a number of replicas from 0 on"):
        fleet_of([(0.0, 10, 10)]).scale(decode=-1)
