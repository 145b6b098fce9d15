"""A nap is decided by idle time and kept back by every promise that keeps the last replica; a held request ends it."""

from dataclasses import replace
from typing import Any

import pytest
from given import NOW, evidence, forecast, history, pool

from foretide.policies.decide import plan, relieve
from foretide.policies.declared import PLACEHOLDER, SLEEPING, Between, Rest
from foretide.policies.flow import Act, Backlog, Evidence, Mode, Pool, ReasonCode, Trust

SLEEP = Between(SLEEPING, wake_s=3.0, price=0.1, keep_s=600.0)
HOLD = Between(PLACEHOLDER, wake_s=40.0, price=0.05)
REST = Rest(300.0, (HOLD, SLEEP))
SILENT = Backlog(NOW, 0.0, 0.0, Trust.FRESH)
ONE = pool(1, min_replicas=0, max_replicas=4)


def seen(idle_min: int = 10, **changes: Any) -> Evidence:
    usual = {
        "history": history(*[1.0] * 30, *[0.0] * idle_min),
        "forecast": forecast(*[0.0] * 50),
        "pool": ONE,
        "backlog": SILENT,
        "rest": REST,
    }
    return evidence(**(usual | changes))


def test_after_its_keep_alive_the_last_replica_sleeps_and_is_not_taken_away() -> None:
    decision = plan(seen())
    assert decision.tier == SLEEPING
    assert not isinstance(decision.verdict, Act)
    assert decision.reason.code is ReasonCode.ASLEEP


def test_before_that_it_is_ready_and_after_its_time_asleep_it_goes_to_zero() -> None:
    assert plan(seen(4)).tier == "ready"
    late = plan(seen(16, pool=replace(ONE, ready=0, asleep=1)))
    assert isinstance(late.verdict, Act)
    assert late.verdict.order.after == 0
    assert late.reason.code is ReasonCode.IDLE


def test_at_zero_a_node_is_held() -> None:
    assert plan(seen(30, pool=replace(ONE, desired=0, ready=0))).tier == PLACEHOLDER


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": Mode.RECOMMEND},
        {"mode": Mode.APPROVE},
        {"mode": Mode.RAISE_ONLY},
        {"mode": Mode.PAUSED},
        {"pool": replace(ONE, conflict="another autoscaler")},
        {"history": history(*[1.0] * 30, *[0.0] * 10, trust=Trust.STALE)},
        {"forecast": forecast(*[0.0] * 50, flagged="a fallback")},
        {"forecast": None},
        {"memory": replace(evidence().memory, watching_since=NOW - 60.0)},
        {"backlog": replace(SILENT, running=1.0)},
        {"backlog": replace(SILENT, waiting=None)},
        {"backlog": replace(SILENT, trust=Trust.PARTIAL)},
        {"backlog": None},
        {"pool": replace(ONE, desired=2, ready=2)},
        {"pool": replace(ONE, ready=0, starting=1)},
        {"rest": REST.without(SLEEPING)},
    ],
)
def test_nobody_sleeps_where_the_last_replica_could_not_go(changes: dict[str, Any]) -> None:
    assert plan(seen(**changes)).tier != SLEEPING


def test_demand_that_is_expected_wakes_a_sleeper_and_orders_nothing() -> None:
    decision = plan(seen(pool=replace(ONE, ready=0, asleep=1), forecast=forecast(*[1.0] * 50)))
    assert decision.tier == "ready"
    assert not isinstance(decision.verdict, Act)


def test_a_held_request_wakes_a_sleeper_in_the_fast_pass() -> None:
    decision = relieve(seen(pool=replace(ONE, ready=0, asleep=1), backlog=replace(SILENT, waiting=2.0)))
    assert decision.tier == "ready"
    assert not isinstance(decision.verdict, Act)
    assert decision.reason.code is ReasonCode.WOKEN


def test_nothing_is_woken_where_somebody_else_decides() -> None:
    asleep = replace(ONE, ready=0, asleep=1)
    held = replace(SILENT, waiting=2.0)
    assert relieve(seen(pool=asleep, backlog=held, mode=Mode.PAUSED)).tier == ""
    assert relieve(seen(pool=replace(asleep, conflict="HPA"), backlog=held)).tier == ""


@pytest.mark.parametrize("lost", [1, 2])
def test_requests_are_never_left_to_replicas_that_did_not_wake(lost: int) -> None:
    stuck = Pool("main", 0, 4, desired=lost, ready=0, lost=lost, version="7")
    decision = relieve(seen(pool=stuck, backlog=replace(SILENT, waiting=2.0)))
    assert isinstance(decision.verdict, Act)
    assert decision.verdict.order.after == lost + 1


def test_a_plan_keeps_the_fresh_replica_beside_the_lost_one_until_it_is_ready() -> None:
    pair = replace(ONE, desired=2, ready=0, starting=1, lost=1)
    busy = {"forecast": forecast(*[1.0] * 50), "backlog": replace(SILENT, waiting=2.0)}
    assert not isinstance(plan(seen(pool=pair, **busy)).verdict, Act)
    ready = plan(seen(pool=replace(pair, ready=1, starting=0), **busy))
    assert ready.proposal is not None
    assert ready.proposal.replicas == 1


def test_by_hazard_the_tier_of_least_cost_is_taken() -> None:
    by_hazard = Rest(None, (SLEEP,))
    evening = [*[0.02, *[0.0] * 9] * 20, 0.02, *[0.0] * 3]
    decision = plan(seen(history=history(*evening), rest=by_hazard))
    assert decision.tier == SLEEPING
    alone = plan(seen(history=history(*evening), rest=Rest(None)))
    assert alone.tier == "ready", "a start is dearer than to stay"
