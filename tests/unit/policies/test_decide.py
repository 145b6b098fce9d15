"""Decisions: the smallest count whose risk is accepted, and every promise that may make it smaller."""

from dataclasses import replace

import numpy as np
import pytest
from given import NOW, evidence, forecast, history, pool

from foretide.policies.decide import plan, relieve
from foretide.policies.flow import (
    Act,
    Backlog,
    Behavior,
    CapacityTable,
    DemandHistory,
    Evidence,
    Hold,
    Memory,
    Mode,
    ReasonCode,
    Recommendation,
    Rhythm,
    ScalingPolicy,
    ScalingRules,
    Trust,
    frozen,
)

FALLING = {"forecast": forecast(*[12.0] * 100), "history": history(*[12.0] * 20)}
RISING = {"forecast": forecast(*[45.0] * 100)}


def order_of(given: Evidence) -> tuple[int, int]:
    verdict = plan(given).verdict
    assert isinstance(verdict, Act), verdict
    return verdict.order.before, verdict.order.after


def held_code(given: Evidence) -> ReasonCode:
    verdict = plan(given).verdict
    assert isinstance(verdict, Hold), verdict
    assert verdict.replicas == given.pool.desired
    return verdict.reasons[0].code


def test_enough_replicas_stay() -> None:
    assert held_code(evidence()) is ReasonCode.STEADY


def test_rising_demand_raises_to_the_smallest_count_that_carries_it() -> None:
    assert order_of(evidence(**RISING)) == (3, 5)


def test_falling_demand_lowers_to_the_smallest_count_that_carries_it() -> None:
    assert order_of(evidence(**FALLING)) == (3, 2)


def test_the_order_carries_the_version_of_the_evidence() -> None:
    verdict = plan(evidence(**RISING)).verdict
    assert isinstance(verdict, Act)
    assert verdict.order.version == "7"


def test_one_path_in_a_hundred_may_break_at_one_percent_risk() -> None:
    one = evidence(forecast=forecast(*[25.0] * 99, 95.0))
    two = evidence(forecast=forecast(*[25.0] * 98, 95.0, 95.0))
    assert plan(one).desired == 3
    assert plan(two).desired == 7  # doubling and four pods both allow 7 of the 10 wanted
    assert plan(two).proposal is not None
    assert plan(two).proposal.replicas == 10


def test_risks_of_the_neighbours_are_published() -> None:
    proposal = plan(evidence(forecast=forecast(*[25.0] * 90, *[35.0] * 10))).proposal
    assert proposal is not None
    assert [(risk.replicas, round(risk.probability, 3)) for risk in proposal.risks] == [(3, 0.1), (4, 0.0), (5, 0.0)]


def test_what_is_already_needed_is_a_floor_under_the_forecast() -> None:
    assert plan(evidence(forecast=forecast(*[2.0] * 100))).desired == 3


def test_without_a_forecast_nothing_moves() -> None:
    assert held_code(evidence(forecast=None)) is ReasonCode.NO_FORECAST


def test_below_the_minimum_is_mended_even_without_a_forecast() -> None:
    assert order_of(evidence(forecast=None, pool=pool(1, min_replicas=2))) == (1, 2)


@pytest.mark.parametrize("trust", [Trust.PARTIAL, Trust.STALE, Trust.ABSENT, Trust.INVALID])
def test_blind_never_lowers(trust: Trust) -> None:
    given = evidence(forecast=FALLING["forecast"], history=history(*[12.0] * 20, trust=trust))
    assert held_code(given) is ReasonCode.BLIND


def test_a_part_of_the_truth_may_still_raise() -> None:
    assert order_of(evidence(history=history(*[25.0] * 20, trust=Trust.PARTIAL), **RISING)) == (3, 5)


@pytest.mark.parametrize("trust", [Trust.STALE, Trust.ABSENT, Trust.INVALID])
def test_old_news_raises_nothing(trust: Trust) -> None:
    assert held_code(evidence(history=history(*[25.0] * 20, trust=trust), **RISING)) is ReasonCode.BLIND


def test_going_down_takes_half_the_accepted_risk() -> None:
    one_in_eighty = forecast(*[12.0] * 158, 25.0, 25.0)
    raising = evidence(forecast=one_in_eighty, pool=pool(1), history=history(*[12.0] * 20))
    loose = replace(raising, objective=replace(raising.objective, max_violation_probability=0.02))
    assert plan(loose).desired == 2
    assert plan(replace(loose, pool=pool(3))).desired == 3
    assert plan(replace(loose, forecast=forecast(*[12.0] * 159, 25.0), pool=pool(3))).desired == 2


def test_a_hole_in_the_window_never_lowers() -> None:
    nan = float("nan")
    given = evidence(forecast=FALLING["forecast"], history=history(*[12.0] * 14, nan, nan, *[12.0] * 4))
    assert held_code(given) is ReasonCode.BLIND


def censored(*flags: float) -> DemandHistory:
    seen = history(*[12.0] * 20)
    return replace(seen, censored=frozen(np.array([*[0.0] * (20 - len(flags)), *flags])), hidden="queues stand")


def test_demand_that_may_be_more_than_measured_never_lowers_and_says_why() -> None:
    hiding = evidence(forecast=FALLING["forecast"], history=censored(1.0, 0.0, 0.0))
    assert held_code(hiding) is ReasonCode.BLIND
    assert "queues stand" in plan(hiding).reason.text


def test_what_was_hidden_before_the_window_of_the_promise_no_longer_matters() -> None:
    assert order_of(evidence(forecast=FALLING["forecast"], history=censored(1.0, *[0.0] * 5))) == (3, 2)


def test_demand_that_may_be_more_than_measured_still_raises() -> None:
    assert order_of(evidence(**RISING, history=censored(1.0))) == (3, 5)


def test_a_fallback_forecast_never_lowers() -> None:
    given = evidence(history=FALLING["history"], forecast=forecast(12.0, flagged="constant last value"))
    assert held_code(given) is ReasonCode.BLIND


def test_a_fallback_forecast_raises_no_further_than_measured_demand_asks() -> None:
    guess = forecast(*[25.0] * 50, *[95.0] * 50, flagged="40% of the last 30 bins are missing")
    assert plan(evidence(forecast=guess)).desired == 3
    assert plan(evidence(forecast=guess, history=history(*[34.0] * 20))).desired == 4


def test_in_a_first_life_a_fallback_forecast_is_better_than_none() -> None:
    guess = forecast(*[25.0] * 50, *[45.0] * 50, flagged="2 measured bins of 60 s, 5 are needed")
    assert plan(evidence(forecast=guess, memory=Memory(watching_since=NOW - 120.0))).desired == 5


def test_a_first_life_holds_what_it_finds() -> None:
    given = evidence(memory=Memory(watching_since=NOW - 599.0), **FALLING)
    assert held_code(given) is ReasonCode.FIRST_LIFE
    assert order_of(replace(given, memory=Memory(watching_since=NOW - 600.0))) == (3, 2)


def test_pods_without_a_node_stop_further_raises() -> None:
    assert held_code(evidence(pool=pool(unschedulable=1), **RISING)) is ReasonCode.UNSCHEDULABLE


def test_pods_without_a_node_do_not_stop_a_release() -> None:
    assert order_of(evidence(pool=pool(unschedulable=1), **FALLING)) == (3, 2)


def test_another_writer_means_hands_off() -> None:
    given = evidence(pool=pool(conflict="HorizontalPodAutoscaler shop/web owns the replicas"), **RISING)
    assert held_code(given) is ReasonCode.CONFLICT


def test_another_writer_is_told_even_without_metrics() -> None:
    assert held_code(evidence(forecast=None, pool=pool(conflict="an HPA"))) is ReasonCode.CONFLICT


def test_paused_holds() -> None:
    assert held_code(evidence(mode=Mode.PAUSED, **RISING)) is ReasonCode.PAUSED


def test_recommend_says_what_it_would_do() -> None:
    decision = plan(evidence(mode=Mode.RECOMMEND, **RISING))
    assert decision.desired == 5
    assert isinstance(decision.verdict, Hold)
    assert decision.reason.code is ReasonCode.RECOMMEND_ONLY


def test_the_maximum_binds_and_is_named() -> None:
    decision = plan(evidence(pool=pool(3, max_replicas=4), **RISING))
    assert decision.desired == 4
    assert decision.proposal is not None
    assert decision.proposal.binding == "maxReplicas"
    assert decision.reason.code is ReasonCode.AT_MAXIMUM


def test_above_the_maximum_comes_back_in_one_step_when_seen_clearly() -> None:
    assert order_of(evidence(pool=pool(40, max_replicas=5))) == (40, 5)


def test_above_the_maximum_and_blind_stays() -> None:
    given = evidence(pool=pool(40, max_replicas=5), history=history(*[25.0] * 20, trust=Trust.ABSENT))
    assert held_code(given) is ReasonCode.BLIND


def test_a_recent_higher_recommendation_delays_the_release() -> None:
    seen = Memory(watching_since=0.0, recommendations=(Recommendation(NOW - 100.0, 3),))
    assert held_code(evidence(memory=seen, **FALLING)) is ReasonCode.STABILIZING


def test_a_large_release_goes_in_small_steps() -> None:
    given = evidence(pool=pool(30), **FALLING)
    assert order_of(given) == (30, 24)
    assert plan(given).verdict.reasons[-1].code is ReasonCode.RATE_LIMITED


def test_an_objective_below_the_hardware_floor_changes_nothing_and_names_it() -> None:
    impossible = CapacityTable(replicas=(1,), per_replica=(0.0,), binding=("ttft",))
    decision = plan(evidence(service=replace(evidence().service, capacity=impossible), **RISING))
    assert decision.reason.code is ReasonCode.INFEASIBLE
    assert "ttft p99 within 0.5 s" in decision.reason.text
    assert decision.desired == 3


def test_a_slow_replica_is_bought_room_for() -> None:
    unsure = replace(evidence().service, log_speed_mean=0.3)
    assert plan(evidence(service=unsure)).desired == 4


def test_every_plan_is_remembered_for_stabilisation() -> None:
    assert plan(evidence()).memory.recommendations == (Recommendation(NOW, 3),)


def test_an_accepted_risk_of_zero_covers_every_path() -> None:
    given = evidence(forecast=forecast(*[25.0] * 99, 65.0))
    strict = replace(given, objective=replace(given.objective, max_violation_probability=0.0))
    assert plan(strict).desired == 7


BACKLOG = Backlog(at=NOW, waiting=9000.0, running=90.0, trust=Trust.FRESH)


def test_a_backlog_adds_what_drains_it_within_one_cold_start() -> None:
    verdict = relieve(evidence(backlog=BACKLOG)).verdict
    assert isinstance(verdict, Act)
    assert (verdict.order.before, verdict.order.after) == (3, 4)  # 25/s, and 900 s of work over 90 s: 35/s
    assert verdict.reasons[0].code is ReasonCode.BACKLOG


def test_a_backlog_that_the_present_replicas_drain_in_time_adds_nothing() -> None:
    assert relieve(evidence(backlog=replace(BACKLOG, waiting=400.0))).desired == 3


def test_a_handful_of_waiting_requests_is_not_a_backlog() -> None:
    assert isinstance(relieve(evidence(backlog=replace(BACKLOG, waiting=20.0))).verdict, Hold)


def test_the_fast_pass_never_lowers() -> None:
    quiet = evidence(pool=pool(30), backlog=replace(BACKLOG, waiting=0.0), **FALLING)
    assert relieve(quiet).desired == 30


def test_a_fresh_backlog_is_relieved_even_when_the_history_is_old() -> None:
    old = history(*[25.0] * 20, trust=Trust.STALE)
    assert relieve(evidence(backlog=BACKLOG, history=old)).desired == 4


def test_an_unreadable_backlog_moves_nothing() -> None:
    assert relieve(evidence(backlog=None)).desired == 3
    assert relieve(evidence(backlog=replace(BACKLOG, waiting=None, trust=Trust.ABSENT))).desired == 3


def test_the_fast_pass_respects_rate_limits_and_maximum() -> None:
    flood = replace(BACKLOG, waiting=1e6)
    assert relieve(evidence(backlog=flood)).desired == 7
    assert relieve(evidence(backlog=flood, pool=pool(3, max_replicas=5))).desired == 5


def test_a_pool_of_a_million_is_decided_like_any_other() -> None:
    wide = Behavior(up=ScalingRules(0.0, (ScalingPolicy("Pods", 10**7, 15.0),)), down=Behavior().down)
    given = evidence(pool=pool(3, max_replicas=10**6), forecast=forecast(*[9.5e6] * 100), behavior=wide)
    assert plan(given).desired == 950_000


def test_decisions_are_the_same_for_the_same_evidence() -> None:
    given = evidence(rhythm=Rhythm(plan_s=30.0), **RISING)
    assert plan(given) == plan(given)


def test_however_many_run_only_what_waits_is_relieved() -> None:
    """How many a replica may run depends on their lengths; a limit from other lengths ordered for nothing."""
    assert relieve(evidence(backlog=replace(BACKLOG, waiting=0.0, running=7000.0))).desired == 3
