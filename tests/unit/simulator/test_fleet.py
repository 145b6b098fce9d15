"""A fleet as its users see it: who serves what, what a start costs, and what is lost when a replica goes."""

from dataclasses import asdict
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.policies.flow import frozen
from foretide.simulator.fleet import Fleet, FleetCounts, StartTier
from foretide.simulator.profiles import Deployment, Profile, StepTimes
from foretide.simulator.requests import RequestTrace

STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
DEPLOYMENT = Deployment(Profile("test", "test", 1, STEPS, kv_tokens=20_000, source="a test"))
EXACT = StartTier(median_s=30.0, sigma=0.0)


def trace(*requests: tuple[float, int, int]) -> RequestTrace:
    arrival, prompt, output = zip(*requests, strict=True) if requests else ((), (), ())
    return RequestTrace(frozen(np.array(arrival)), np.array(prompt, dtype=int), np.array(output, dtype=int))


def steady(count: int, *, every: float = 0.05, seed: int = 0) -> RequestTrace:
    rng = np.random.default_rng(seed)
    return RequestTrace(
        frozen(np.cumsum(rng.exponential(every, count))), rng.integers(10, 800, count), rng.integers(1, 120, count)
    )


def fleet(requests: RequestTrace, *, replicas: int = 1, cold_start: StartTier = EXACT, seed: int = 0) -> Fleet:
    return Fleet(deployment=DEPLOYMENT, trace=requests, replicas=replicas, cold_start=cold_start, seed=seed)


def test_a_request_goes_where_the_fewest_are_outstanding() -> None:
    made = fleet(trace((0.0, 500, 100), (0.1, 500, 100), (0.2, 500, 1), (5.0, 500, 100)), replicas=2)
    made.advance(0.2)
    assert [pod.running + pod.waiting for pod in made.counters().values()] == [2, 1]
    made.advance(1.0)
    assert [pod.running + pod.waiting for pod in made.counters().values()] == [1, 1]


def test_outstanding_counts_are_exact_at_each_arrival() -> None:
    """A request that ended just before an arrival no longer counts: the idle replica is found."""
    made = fleet(trace((0.0, 100, 1), (0.001, 100, 200), (0.05, 100, 200)), replicas=2)
    made.advance(0.05)
    assert [pod.running + pod.waiting for pod in made.counters().values()] == [1, 1]


def test_the_counters_add_up_to_what_was_asked() -> None:
    requests = steady(400)
    made = fleet(requests, replicas=3)
    made.advance(requests.arrival_s[-1] / 2)
    arrived = int((requests.arrival_s <= made.now).sum())
    pods = made.counters().values()
    assert sum(pod.finished + pod.running + pod.waiting for pod in pods) == arrived
    assert any(pod.running for pod in pods)
    assert all(0 <= pod.kv_usage <= 1 for pod in pods)
    made.advance(made.now + 600)
    assert sum(pod.prompt_tokens for pod in made.counters().values()) == requests.prompt_tokens.sum()
    assert sum(pod.output_tokens for pod in made.counters().values()) == requests.output_tokens.sum()


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.floats(0.0, 40.0), max_size=20), replicas=st.integers(1, 4))
def test_it_does_not_matter_how_often_somebody_looks(cuts: list[float], replicas: int) -> None:
    whole, often = (fleet(steady(200), replicas=replicas) for _ in range(2))
    whole.advance(100.0)
    for cut in sorted(cuts):
        often.advance(cut)
        often.counters()
    often.advance(100.0)
    np.testing.assert_array_equal(often.outcome().e2e_s, whole.outcome().e2e_s)
    np.testing.assert_array_equal(often.outcome().ttft_s, whole.outcome().ttft_s)


@settings(max_examples=30, deadline=None)
@given(
    orders=st.lists(st.tuples(st.floats(0.0, 30.0), st.integers(0, 6)), max_size=12),
    seed=st.integers(0, 1000),
)
def test_no_request_is_lost_or_doubled_while_the_fleet_is_scaled(orders: list[tuple[float, int]], seed: int) -> None:
    requests = steady(300, seed=seed)
    made = fleet(requests, replicas=2, cold_start=StartTier(5.0, 0.5), seed=seed)
    for at, replicas in sorted(orders):
        made.advance(at)
        made.scale(replicas)
        assert made.counts().desired == replicas
    made.advance(max(made.now, 40.0))
    made.scale(3)
    made.advance(2000.0)
    assert np.isfinite(made.outcome().e2e_s).all()
    assert sum(member.replica.finished for member in made.members) == len(requests)
    assert made.counts() == FleetCounts(desired=3, ready=3, starting=0, draining=0)


def test_an_unfinished_request_has_no_latency() -> None:
    made = fleet(trace((0.0, 100, 5), (1.0, 100, 5000)))
    made.advance(2.0)
    found = made.outcome()
    assert np.isfinite([found.ttft_s[0], found.tpot_s[0], found.e2e_s[0]]).all()
    assert np.isnan([found.ttft_s[1], found.tpot_s[1], found.e2e_s[1]]).all()


def test_a_single_token_has_no_tpot_and_others_share_the_time_after_the_first() -> None:
    made = fleet(trace((0.0, 100, 1), (10.0, 100, 11)))
    made.advance(60.0)
    found = made.outcome()
    assert np.isnan(found.tpot_s[0])
    assert found.tpot_s[1] == pytest.approx((found.e2e_s[1] - found.ttft_s[1]) / 10)


def test_overhead_outside_the_engine_adds_to_latency_and_not_to_tpot() -> None:
    slow = Deployment(DEPLOYMENT.profile, http_overhead_s=0.02)
    made = Fleet(deployment=slow, trace=trace((0.0, 100, 5)), replicas=1, cold_start=EXACT, seed=0)
    usual = fleet(trace((0.0, 100, 5)))
    made.advance(9.0)
    usual.advance(9.0)
    more = {name: float(getattr(made.outcome(), name)[0] - getattr(usual.outcome(), name)[0]) for name in
            ("ttft_s", "tpot_s", "e2e_s")}  # fmt: skip
    assert more == pytest.approx({"ttft_s": 0.02, "tpot_s": 0.0, "e2e_s": 0.02})


def test_a_start_takes_its_time_and_costs_from_the_order_on() -> None:
    made = fleet(trace((100.0, 10, 1)))
    made.advance(10.0)
    made.scale(2)
    assert made.counts() == FleetCounts(desired=2, ready=1, starting=1, draining=0)
    made.advance(39.9)
    assert list(made.counters()) == ["replica-0"]
    made.advance(40.0)
    assert made.counts() == FleetCounts(desired=2, ready=2, starting=0, draining=0)
    assert made.starts == [(10.0, 40.0)]
    assert made.gpu_seconds == pytest.approx(40 + 30)


def test_the_nth_start_takes_the_same_time_whatever_was_decided_before() -> None:
    drawn = []
    for when in ((5.0, 6.0, 7.0), (50.0, 80.0, 300.0)):
        made = fleet(trace((1.0, 10, 1)), cold_start=StartTier(30.0, 0.4), seed=7)
        for number, at in enumerate(when):
            made.advance(at)
            made.scale(2 + number)
        made.advance(2000.0)
        drawn.append([member.ready_at - member.ordered_at for member in made.members[1:]])
    assert drawn[0] == pytest.approx(drawn[1])
    assert len(set(np.round(drawn[0], 6))) == 3


def test_gpus_are_counted_per_replica() -> None:
    made = Fleet(
        deployment=DEPLOYMENT, trace=trace((0.0, 9, 1)), replicas=2, cold_start=EXACT, seed=0, gpus_per_replica=4
    )
    made.advance(10.0)
    assert made.gpu_seconds == pytest.approx(80.0)


def test_scaling_in_calls_off_starting_replicas_first() -> None:
    made = fleet(trace((0.0, 100, 5000)))
    made.scale(3)
    made.advance(5.0)
    made.scale(1)
    assert made.counts() == FleetCounts(desired=1, ready=1, starting=0, draining=0)
    made.advance(100.0)
    assert made.gpu_seconds == pytest.approx(100 + 2 * 5)
    assert made.starts == []


def test_scaling_in_drains_the_idlest_and_lets_it_finish() -> None:
    made = fleet(trace((0.0, 100, 300), (0.001, 100, 100), (0.002, 100, 300), (1.5, 100, 5)), replicas=2)
    made.advance(1.0)
    made.scale(1)
    assert made.counts() == FleetCounts(desired=1, ready=1, starting=0, draining=1)
    assert set(made.counters()) == {"replica-0", "replica-1"}
    made.advance(60.0)
    assert made.counts() == FleetCounts(desired=1, ready=1, starting=0, draining=0)
    found = made.outcome()
    assert np.isfinite(found.e2e_s).all(), "nothing was lost"
    assert made.gpu_seconds == pytest.approx(60 + found.e2e_s[1] + 0.001)


def test_without_a_ready_replica_requests_wait_at_the_door() -> None:
    made = fleet(trace((1.0, 100, 5), (2.0, 100, 5), (50.0, 100, 5)), replicas=0)
    made.scale(1)
    made.advance(10.0)
    assert (made.at_the_door, made.counters()) == (2, {})
    made.advance(60.0)
    found = made.outcome()
    assert found.cold_started.tolist() == [True, True, False]
    assert 28.0 < found.ttft_s[1] < found.ttft_s[0] < 29.1


def test_a_request_waits_for_a_start_even_when_it_was_ordered_after_it_came() -> None:
    made = fleet(trace((1.0, 100, 5)), replicas=0)
    made.advance(20.0)
    made.scale(1)
    made.advance(60.0)
    assert made.outcome().cold_started.tolist() == [True]
    assert made.outcome().ttft_s[0] == pytest.approx(49.0, abs=0.1)


def test_requests_submitted_one_by_one_fare_as_those_of_a_trace() -> None:
    requests = steady(100)
    given_, online = fleet(requests, replicas=2), fleet(trace(), replicas=2)
    given_.advance(120.0)
    rows = zip(requests.arrival_s, requests.prompt_tokens, requests.output_tokens, strict=True)
    indices = []
    for arrival, prompt, output in rows:
        indices.append(online.submit(float(arrival), int(prompt), int(output)))
        online.advance(float(arrival))
    online.advance(120.0)
    assert indices == list(range(100))
    for name, column in asdict(given_.outcome()).items():
        np.testing.assert_array_equal(getattr(online.outcome(), name), column)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ((4.0, 10, 10), r"arrival_s: 4\.0: lies in the past; it is 5\.0"),
        ((6.0, 10, 10), r"arrival_s: 6\.0: lies before the newest arrival at 7\.0"),
        ((8.0, 19_000, 2000), r"kv_tokens: 20000: a request of 19000 \+ 2000 tokens never fits"),
    ],
)
def test_a_submitted_request_that_cannot_be_served_is_refused(request_: tuple[float, int, int], told: str) -> None:
    made = fleet(trace())
    made.advance(5.0)
    made.submit(7.0, 10, 10)
    with pytest.raises(ValueError, match=told):
        made.submit(*request_)
    made.advance(20.0)
    assert len(made.outcome().e2e_s) == 1


def test_a_trace_with_a_request_that_never_fits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a request of 20000 \+ 1 tokens never fits; raise it or drop the request"):
        fleet(trace((0.0, 20_000, 1)))


def test_replicas_managed_from_outside_serve_from_ready_to_drained() -> None:
    made = fleet(trace((5.0, 100, 5), (20.0, 100, 500), (21.0, 100, 5)), replicas=0)
    made.add_replica("a", ready=False)
    made.advance(10.0)
    assert (made.counts().starting, made.at_the_door) == (1, 1)
    made.mark_ready("a")
    made.add_replica("b", ready=True)
    made.advance(20.5)
    made.drain("a")
    made.advance(20.6)
    assert made.counts() == FleetCounts(desired=1, ready=1, starting=0, draining=1)
    made.advance(100.0)
    assert list(made.counters()) == ["b"]
    assert np.isfinite(made.outcome().e2e_s).all()


def test_a_removed_replica_loses_what_it_had_in_flight_and_no_more() -> None:
    made = fleet(trace((0.0, 100, 500), (0.1, 100, 500), (2.0, 100, 5)), replicas=2)
    made.advance(1.0)
    made.remove("replica-0")
    made.advance(100.0)
    assert np.isfinite(made.outcome().e2e_s).tolist() == [False, True, True]
    assert list(made.counters()) == ["replica-1"]
    assert made.gpu_seconds == pytest.approx(1 + 100)


def test_a_name_may_come_back_after_its_replica_has_gone() -> None:
    made = fleet(trace((5.0, 100, 5)), replicas=0)
    made.add_replica("a", ready=True)
    made.remove("a")
    made.add_replica("a", ready=True)
    made.advance(10.0)
    assert made.counters()["a"].finished == 1
    with pytest.raises(KeyError, match="no replica is called b"):
        made.remove("b")


def test_each_finished_request_is_observed_once() -> None:
    made = fleet(trace((1.0, 100, 11), (2.0, 200, 1), (50.0, 100, 5)))
    assert made.observations("replica-0") == []
    made.advance(20.0)
    several, single = made.observations("replica-0")
    found = made.outcome()
    assert (several.prompt_tokens, several.output_tokens) == (100, 11)
    assert (several.ttft_s, several.tpot_s) == pytest.approx((found.ttft_s[0], found.tpot_s[0]))
    assert several.e2e_s == pytest.approx(found.e2e_s[0])
    assert np.isnan(single.tpot_s)
    assert made.observations("replica-0") == []
    made.advance(inf)
    assert len(made.observations("replica-0")) == 1


def test_a_fleet_of_none_answers_nothing_and_costs_nothing() -> None:
    made = fleet(trace((1.0, 10, 1)), replicas=0)
    made.advance(500.0)
    assert made.gpu_seconds == 0.0
    np.testing.assert_array_equal(made.outcome().e2e_s, [nan])
    assert made.outcome().cold_started.tolist() == [False], "nothing was starting that it could have waited for"


def test_requests_are_routed_as_the_name_says() -> None:
    """Four quick ones would all fit on the first replica; in turn, each gets two."""
    finished = {}
    for name in ("round-robin", "least-outstanding"):
        made = Fleet(
            deployment=DEPLOYMENT,
            trace=trace(*((10.0 * k, 100, 2) for k in range(4))),
            replicas=2,
            cold_start=EXACT,
            seed=0,
            routing=name,
        )
        made.advance(100.0)
        finished[name] = [pod.finished for pod in made.counters().values()]
    assert finished == {"round-robin": [2, 2], "least-outstanding": [4, 0]}
    with pytest.raises(ValueError, match="routing: nearest: give one of round-robin, "):
        Fleet(deployment=DEPLOYMENT, trace=trace(), replicas=1, cold_start=EXACT, seed=0, routing="nearest")
