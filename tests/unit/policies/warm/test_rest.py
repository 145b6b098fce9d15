"""One target's rest: idle periods out of its history, missing minutes, and the choice between one replica and none."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from given import NOW, evidence, forecast, history, pool
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.decide import plan, relieve
from foretide.policies.declared import Rest
from foretide.policies.flow import (
    Act,
    Backlog,
    Behavior,
    ColdStart,
    Costs,
    Evidence,
    ReasonCode,
    ScalingPolicy,
    ScalingRules,
    Trust,
)
from foretide.policies.guardrails import is_lowering
from foretide.policies.warm.rest import by_minute, gaps_of, idle_for, rest_of, waiting_requests

QUIET = Backlog(NOW, 0.0, 0.0, Trust.FRESH)
AT_ONCE = Behavior(down=ScalingRules(0.0, (ScalingPolicy("Percent", 100, 15.0),)))
nan = float("nan")


def resting(*rates: float, desired: int = 1, rest: Rest | None = None, **changes: Any) -> Evidence:
    """A target that may rest, with a minute for each rate, ending now; nothing runs or waits."""
    usual: dict[str, Any] = {
        "history": history(*rates),
        "forecast": forecast(*[0.0] * 50),
        "pool": pool(desired, min_replicas=0),
        "backlog": QUIET,
        "behavior": AT_ONCE,
        "cold_start": ColdStart(median_s=80.0, sigma=0.0),
        "rest": rest or Rest(),
    }
    return evidence(**usual | changes)


def every(period: int, times: int) -> list[float]:
    """One request in every so many minutes, the newest of them in the last one."""
    return [(minute % period == 0) / 60.0 for minute in range(period * times, -1, -1)]


def test_a_day_of_silence_ends_at_zero_and_says_why() -> None:
    decision = plan(resting(*every(3, 20), *[0.0] * 240))
    assert isinstance(decision.verdict, Act)
    assert (decision.verdict.order.before, decision.verdict.order.after) == (1, 0)
    assert decision.verdict.reasons[0].code is ReasonCode.IDLE
    assert "idle for 240 min, after 20 idle periods before" in decision.verdict.reasons[0].text


def test_a_short_pause_of_a_busy_model_keeps_the_replica() -> None:
    decision = plan(resting(*every(3, 100), 0.0, 0.0))
    assert decision.desired == 1
    assert decision.verdict.reasons[0].code is ReasonCode.KEPT_WARM


def test_a_timer_is_slept_through_and_woken_for() -> None:
    hourly = every(60, 40)
    asleep = [plan(resting(*hourly, *[0.0] * idle, desired=0)).desired for idle in range(1, 60)]
    assert asleep[10:55] == [0] * 45
    assert asleep[57] == 1  # a start takes 80 s: ordered two minutes ahead
    woken = plan(resting(*hourly, *[0.0] * 58, desired=0))
    assert woken.verdict.reasons[0].code is ReasonCode.WOKEN


def test_a_declared_keep_alive_is_kept_to_the_minute() -> None:
    counts = [plan(resting(1.0, *[0.0] * idle, rest=Rest(600.0))).desired for idle in range(5, 15)]
    assert counts == [1] * 5 + [0] * 5


def test_several_replicas_go_by_demand_first_and_the_last_by_idle_time() -> None:
    decision = plan(resting(*[5.0] * 60, *[0.0] * 240, desired=4))
    assert decision.proposal is not None
    assert decision.proposal.replicas == 0
    busy = plan(resting(*[55.0] * 60, desired=4, forecast=forecast(*[55.0] * 50)))
    assert busy.desired == 6


def test_a_few_paths_that_remember_a_burst_do_not_keep_an_idle_model_awake() -> None:
    burst = forecast(*[0.0] * 90, *[25.0] * 10)
    assert plan(resting(*every(3, 20), *[0.0] * 240, desired=3, forecast=burst)).desired == 0


def test_demand_that_is_known_beforehand_wakes_an_idle_model() -> None:
    announced = forecast(*[0.0] * 10, *[25.0] * 90)
    decision = plan(resting(*every(3, 20), *[0.0] * 240, desired=0, forecast=announced))
    assert decision.desired == 3
    assert decision.verdict.reasons[0].code is ReasonCode.DEMAND_RISES


@pytest.mark.parametrize(
    "changes",
    [
        {"backlog": None},
        {"backlog": replace(QUIET, trust=Trust.STALE)},
        {"backlog": replace(QUIET, trust=Trust.PARTIAL)},
        {"backlog": replace(QUIET, waiting=None, running=None, trust=Trust.ABSENT)},
        {"backlog": replace(QUIET, running=1.0)},
        {"backlog": replace(QUIET, waiting=1.0)},
        {"pool": pool(1, min_replicas=0, ready=0, starting=1)},
        {"pool": pool(1, min_replicas=0, ready=0, unschedulable=1)},
        {"history": history(*every(3, 20), *[0.0] * 240, trust=Trust.STALE)},
        {"history": history(*every(3, 20), *[0.0] * 239, nan)},
        {"forecast": forecast(*[0.0] * 50, flagged="a fallback")},
    ],
)
def test_the_last_replica_stays_where_anything_is_unknown_loading_or_in_use(changes: dict[str, Any]) -> None:
    assert plan(resting(*every(3, 20), *[0.0] * 240)).desired == 0
    assert plan(resting(*every(3, 20), *[0.0] * 240, **changes)).desired == 1


@given(
    rates=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.5, nan]), min_size=12, max_size=60),
    trust=st.sampled_from(Trust),
    backlog=st.sampled_from([None, QUIET, replace(QUIET, waiting=2.0), replace(QUIET, trust=Trust.STALE)]),
    keep=st.sampled_from([None, 60.0, 600.0]),
)
def test_zero_is_only_ever_reached_from_what_was_measured_and_idle(
    rates: list[float], trust: Trust, backlog: Backlog | None, keep: float | None
) -> None:
    given_ = resting(*rates, rest=Rest(keep), backlog=backlog, history=history(*rates, trust=trust))
    decision = plan(given_)
    if decision.desired == 0:
        assert is_lowering(decision.verdict)
        assert trust is Trust.FRESH
        assert backlog is QUIET
        assert rates[-1] == 0.0


def test_what_waits_wakes_in_the_fast_pass_whatever_the_history_says() -> None:
    asleep = resting(*[0.0] * 60, desired=0, history=history(*[0.0] * 60, trust=Trust.STALE))
    assert relieve(asleep).desired == 0
    woken = relieve(replace(asleep, backlog=replace(QUIET, waiting=1.0)))
    assert isinstance(woken.verdict, Act)
    assert woken.desired == 1
    assert woken.verdict.reasons[0].text == "1 requests wait for a first replica"


def test_a_rate_in_percent_does_not_keep_zero_at_zero() -> None:
    doubling = Behavior(up=ScalingRules(0.0, (ScalingPolicy("Percent", 100, 15.0),)))
    asleep = resting(*[0.0] * 60, desired=0, behavior=doubling, backlog=replace(QUIET, waiting=1.0))
    assert relieve(asleep).desired == 1


def test_dear_requests_are_waited_for_longer() -> None:
    def rests_after(violation: float) -> int:
        priced = replace(evidence().objective, costs=Costs(gpu_hour=2.0, violation=violation))
        silent = [rest_of(resting(*every(20, 30), *[0.0] * idle, objective=priced)).ready for idle in range(1, 200)]
        return sum(silent)

    assert rests_after(0.001) < rests_after(10.0)


def test_an_idle_period_ends_for_us_where_it_was_not_measured() -> None:
    found = gaps_of(np.array([1.0, 0.0, 0.0, 1.0, 0.0, nan, 0.0, 1.0, 0.0]), ages=5)
    assert found.ended[0].tolist() == [0, 0, 1, 0, 0]
    assert found.reached[0].tolist() == [3, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("rates", "minutes"), [([1.0, 0.0, 0.0], 2), ([1.0, nan, 0.0], 1), ([0.0, 0.0], 2), ([0.0, 1.0], 0), ([nan], 0)]
)
def test_the_time_since_the_last_request_starts_at_what_was_not_measured(rates: list[float], minutes: int) -> None:
    assert idle_for(np.array(rates)) == minutes


def test_half_minutes_are_put_together_from_the_newest_on() -> None:
    rates = by_minute(history(9.0, 0.0, 0.0, 1.0, 0.0, nan, 0.0, step=30.0))
    assert rates[[0, 1]].tolist() == [0.0, 0.5]
    assert np.isnan(rates[2])


def test_a_start_makes_as_many_wait_as_came_then() -> None:
    bursts = np.tile([0.0] * 9 + [1.0], 200)
    assert waiting_requests(bursts, wake_s=30.0) == pytest.approx(30.0, rel=0.05)
    assert waiting_requests(np.zeros(10), wake_s=30.0) == 1.0


def test_who_may_not_rest_is_not_asked() -> None:
    with pytest.raises(ValueError, match="rest: none"):
        rest_of(evidence())


RATES = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0, nan]), min_size=1, max_size=30)


@given(RATES, st.integers(1, 12))
def test_idle_periods_are_those_of_a_walk_through_the_minutes(rates: list[float], ages: int) -> None:
    ended, reached, since = [0.0] * ages, [0.0] * ages, None
    for minute, rate in enumerate(rates):
        if since is not None and rate == rate and (age := minute - since) <= ages:  # noqa: PLR0124 (not NaN)
            reached[age - 1] += 1
            ended[age - 1] += rate > 0
        if rate != 0.0:
            since = minute if rate > 0 else None
    found = gaps_of(np.array(rates), ages=ages)
    assert found.ended[0].tolist() == ended
    assert found.reached[0].tolist() == reached
