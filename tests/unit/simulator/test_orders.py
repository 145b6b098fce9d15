"""From order to readiness: nodes that run out, orders that wait for one, starts that slow each other."""

import pytest
from hurt import EXACT, fleet, requests, steady

from foretide.simulator.conditions import QUIET, Conditions
from foretide.simulator.faults import SlowStart, StockOut
from foretide.simulator.fleet import FleetCounts, StartTier
from foretide.simulator.stock import Stock

IDLE = requests((1000.0, 10, 1))


def test_orders_beyond_the_stock_stay_without_a_node_and_cost_nothing() -> None:
    made = fleet(IDLE, Conditions(stock=Stock(((0.0, 3),))))
    made.scale(5)
    assert made.counts() == FleetCounts(desired=5, ready=1, starting=4, draining=0, unschedulable=2)
    made.advance(100.0)
    assert made.counts() == FleetCounts(desired=5, ready=3, starting=2, draining=0, unschedulable=2)
    assert made.gpu_seconds == pytest.approx(3 * 100.0)


def test_a_freed_node_goes_to_the_oldest_order_within_a_second() -> None:
    made = fleet(requests((0.0, 100, 300), (0.001, 100, 100)), Conditions(stock=Stock(((0.0, 2),))), replicas=2)
    made.advance(0.01)
    made.scale(3)
    made.drain("replica-1")
    made.advance(10.0)
    left = made.members[1].gone_at
    waited = made.members[2].begun_at - left
    assert 0.0 < left < 5.0
    assert 0.0 <= waited <= 1.0
    assert made.members[2].ready_at == pytest.approx(made.members[2].begun_at + 30.0)


def test_a_stock_that_rises_lets_waiting_orders_start() -> None:
    made = fleet(IDLE, Conditions(stock=Stock(((0.0, 1), (50.0, 2)))))
    made.scale(2)
    made.advance(200.0)
    assert 50.0 <= made.members[1].begun_at <= 51.0
    assert made.starts == [(0.0, pytest.approx(made.members[1].begun_at + 30.0))]


def test_a_stock_that_falls_takes_no_node_away() -> None:
    made = fleet(IDLE, Conditions(stock=Stock(((0.0, 4), (10.0, 1)))), replicas=3)
    made.advance(20.0)
    made.scale(4)
    made.advance(90.0)
    assert made.counts() == FleetCounts(desired=4, ready=3, starting=1, draining=0, unschedulable=1)


def test_a_replica_takes_all_of_its_gpus_or_none() -> None:
    made = fleet(IDLE, Conditions(stock=Stock(((0.0, 11),))), gpus_per_replica=4)
    made.scale(3)
    assert made.counts().unschedulable == 1


def test_a_fleet_that_begins_larger_than_the_stock_begins_with_what_there_is() -> None:
    made = fleet(IDLE, Conditions(stock=Stock(((0.0, 2),))), replicas=5)
    assert made.counts() == FleetCounts(desired=5, ready=2, starting=3, draining=0, unschedulable=3)


def test_what_has_no_node_is_called_off_first() -> None:
    made = fleet(IDLE, Conditions(stock=Stock(((0.0, 2),))))
    made.scale(4)
    made.scale(2)
    assert made.counts() == FleetCounts(desired=2, ready=1, starting=1, draining=0)
    made.scale(1)
    made.scale(2)
    assert made.counts().unschedulable == 0, "the called-off start gave its node back"


def test_a_stock_out_keeps_new_replicas_out_while_it_lasts() -> None:
    made = fleet(IDLE, Conditions(faults=(StockOut(at=10.0, duration_s=60.0),)))
    made.advance(20.0)
    made.scale(2)
    made.advance(69.0)
    assert made.counts().unschedulable == 1
    made.advance(72.0)
    assert made.counts().unschedulable == 0


def test_concurrent_starts_slow_each_other_and_a_lonely_one_is_not_slowed() -> None:
    made = fleet(IDLE, Conditions(contention=0.05))
    made.scale(4)
    made.advance(500.0)
    made.scale(5)
    made.advance(900.0)
    took = [member.ready_at - member.begun_at for member in made.members[1:]]
    assert took == pytest.approx([30.0, 31.5, 33.0, 30.0])


def test_warm_nodes_serve_the_first_starts_and_come_back() -> None:
    conditions = Conditions(further_tiers=(StartTier(300.0, 0.0),), refill_s=60.0)
    made = fleet(IDLE, conditions, cold_start=StartTier(30.0, 0.0, nodes=1))
    made.scale(3)
    made.advance(400.0)
    made.scale(1)
    made.advance(430.0)
    made.scale(2)
    made.advance(800.0)
    made.scale(3)
    made.advance(900.0)
    took = [member.ready_at - member.begun_at for member in made.members[1:]]
    assert took == pytest.approx([30.0, 300.0, 300.0, 30.0])


def test_a_slow_start_triples_those_that_begin_meanwhile() -> None:
    made = fleet(IDLE, Conditions(faults=(SlowStart(at=10.0, duration_s=20.0),)))
    for at, replicas in ((5.0, 2), (15.0, 3), (40.0, 4)):
        made.advance(at)
        made.scale(replicas)
    made.advance(500.0)
    assert [member.ready_at - member.begun_at for member in made.members[1:]] == pytest.approx([30.0, 90.0, 30.0])


def test_the_nth_order_is_as_lucky_whether_it_waited_or_not() -> None:
    took = []
    for conditions in (QUIET, Conditions(stock=Stock(((0.0, 1), (70.0, 9))))):
        made = fleet(IDLE, conditions, cold_start=StartTier(30.0, 0.5))
        made.scale(5)
        made.advance(600.0)
        took.append([member.ready_at - member.begun_at for member in made.members[1:]])
    assert took[0] == pytest.approx(took[1])
    assert len(set(took[0])) == 4


def test_an_endless_run_is_refused_where_something_may_always_happen() -> None:
    made = fleet(steady(5), Conditions(stock=Stock(((0.0, 1),))), cold_start=EXACT)
    made.scale(2)
    with pytest.raises(ValueError, match="until: inf: there is no end"):
        made.advance(float("inf"))
