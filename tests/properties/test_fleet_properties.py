"""Laws of a fleet under any conditions: nothing is lost or doubled unseen, nothing is had that was not there."""

import numpy as np
from hurt import KINDS, fleet, steady
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.simulator import meter
from foretide.simulator.conditions import Conditions
from foretide.simulator.faults import Crash, Failures, Slowdown, SlowStart, StockOut
from foretide.simulator.fleet import Fleet, StartTier
from foretide.simulator.stock import Stock

END = 120.0
GPUS = 2
TIMES = st.floats(0.0, 100.0)
SPANS = st.floats(1.0, 60.0)
FAULTS = st.one_of(
    st.builds(Slowdown, at=TIMES, duration_s=SPANS, factor=st.floats(1.0, 3.0), share=st.floats(0.1, 1.0)),
    st.builds(SlowStart, at=TIMES, duration_s=SPANS, factor=st.floats(1.0, 4.0)),
    st.builds(StockOut, at=TIMES, duration_s=SPANS, gpus=st.integers(0, 8)),
    st.builds(Crash, at=TIMES, replicas=st.integers(1, 3)),
)
CONDITIONS = st.builds(
    Conditions,
    further_tiers=st.just((StartTier(12.0, 0.3),)),
    contention=st.floats(0.0, 0.3),
    refill_s=st.floats(0.0, 40.0),
    stock=st.lists(st.integers(2, 14), min_size=1, max_size=4).map(
        lambda gpus: Stock(tuple((25.0 * place, count) for place, count in enumerate(gpus)))
    ),
    failures=st.builds(
        Failures, per_replica_hour=st.floats(0.0, 200.0), retry_s=st.one_of(st.none(), st.floats(0.0, 10.0))
    ),
    faults=st.lists(FAULTS, max_size=4).map(tuple),
)
ORDERS = st.lists(st.tuples(st.floats(0.0, END), st.integers(0, 7)), max_size=10)
Orders = list[tuple[float, int]]


def made(conditions: Conditions, *, seed: int = 0, count: int = 150) -> Fleet:
    """Every seed has its kind of replica."""
    first, kind = StartTier(4.0, 0.4, nodes=2), KINDS[seed % len(KINDS)]
    trace = steady(count, seed=seed, every=0.1)
    return fleet(trace, conditions, deployment=kind, replicas=2, cold_start=first, seed=seed, gpus_per_replica=GPUS)


def run(one: Fleet, orders: Orders, *, cuts: tuple[float, ...] = ()) -> Fleet:
    """Carries out the orders; `cuts` are times at which somebody only looks."""
    for at, replicas in sorted([*orders, *((cut, -1) for cut in cuts)]):
        one.advance(at)
        if replicas >= 0:
            one.scale(replicas)
        else:
            one.counters()
    one.advance(END)
    return one


@settings(max_examples=60, deadline=None)
@given(conditions=CONDITIONS, orders=ORDERS, seed=st.integers(0, 50))
def test_every_request_ends_finished_lost_or_unfinished_exactly_once(
    conditions: Conditions, orders: Orders, seed: int
) -> None:
    one = run(made(conditions, seed=seed), orders)
    finished = int(np.isfinite(one.outcome().e2e_s).sum())
    assert finished == sum(member.replica.finished for member in one.members), "none is answered twice"
    under_way = sum(member.replica.outstanding for member in one.members if member.gone_at > one.now)
    had_crashed = sum(member.replica.outstanding for member in one.members if member.gone_at <= one.now)
    harm = one.mishaps.harm
    to_be_resent = had_crashed - harm.lost - harm.resent
    assert to_be_resent >= 0 if conditions.failures.retry_s is not None else to_be_resent == 0
    unfinished = under_way + one.at_the_door + to_be_resent
    assert finished + harm.lost + unfinished == len(one.outcome().e2e_s)


@settings(max_examples=60, deadline=None)
@given(conditions=CONDITIONS, orders=ORDERS, seed=st.integers(0, 50))
def test_gpu_seconds_are_the_sum_of_lives_and_nothing_starts_before_it_was_ordered(
    conditions: Conditions, orders: Orders, seed: int
) -> None:
    one = run(made(conditions, seed=seed), orders)
    lives = [
        (member.begun_at, min(member.gone_at, one.now)) for member in one.members if member.begun_at < float("inf")
    ]
    assert np.isclose(one.gpu_seconds, GPUS * sum(end - begin for begin, end in lives))
    assert all(end >= begin for begin, end in lives)
    assert all(member.ordered_at <= member.begun_at <= member.ready_at for member in one.members)
    assert meter.pending_s(one.members, one.now) >= 0.0


@settings(max_examples=60, deadline=None)
@given(conditions=CONDITIONS, orders=ORDERS, seed=st.integers(0, 50))
def test_nobody_gets_a_gpu_that_is_not_there(conditions: Conditions, orders: Orders, seed: int) -> None:
    """Whoever gets a node leaves the fleet within the stock of that moment."""
    one = run(made(conditions, seed=seed), orders)
    for member in one.members:
        if member.begun_at == float("inf"):
            continue
        at = member.begun_at
        held = sum(other.begun_at <= at < other.gone_at for other in one.members if other.number <= member.number)
        assert held * GPUS <= conditions.stock.at(at, conditions.faults)


@settings(max_examples=40, deadline=None)
@given(
    conditions=CONDITIONS,
    orders=ORDERS,
    cuts=st.lists(st.floats(0.0, END), max_size=15).map(tuple),
    seed=st.integers(0, 50),
)
def test_a_seed_decides_everything_and_looking_changes_nothing(
    conditions: Conditions, orders: Orders, cuts: tuple[float, ...], seed: int
) -> None:
    one, other = run(made(conditions, seed=seed), orders), run(made(conditions, seed=seed), orders, cuts=cuts)
    np.testing.assert_array_equal(one.outcome().e2e_s, other.outcome().e2e_s)
    assert one.gpu_seconds == other.gpu_seconds
    assert one.mishaps.harm == other.mishaps.harm
    assert one.counts() == other.counts()


@settings(max_examples=40, deadline=None)
@given(one=ORDERS, other=ORDERS, seed=st.integers(0, 50))
def test_the_nth_start_and_the_nth_life_are_the_same_whatever_a_policy_orders(
    one: Orders, other: Orders, seed: int
) -> None:
    conditions = Conditions(failures=Failures(per_replica_hour=60.0))
    drawn = []
    for orders in (one, other):
        first = StartTier(4.0, 0.4)
        found = run(fleet(steady(60, seed=seed), conditions, replicas=2, cold_start=first, seed=seed), orders)
        drawn.append(
            {member.number: member.ready_at - member.begun_at for member in found.members if member.ready_at < 1e9}
        )
    for number in drawn[0].keys() & drawn[1].keys():
        assert np.isclose(drawn[0][number], drawn[1][number], atol=1e-9)
