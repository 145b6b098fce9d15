"""What was given up and taken back is kept for a while, and nothing else is."""

from dataclasses import replace

import pytest
from given import NOW, evidence, forecast, history, pool

from foretide.policies.decide import plan
from foretide.policies.declared import Rest
from foretide.policies.flow import Backlog, Behavior, Evidence, Memory, Mode, ReasonCode, ScaleEvent, Trust
from foretide.policies.memory import remember_recommendation
from foretide.policies.regret import HOLDS, REMEMBERED, Regret, kept_count, regret_time, regrets, slack

WITHIN_S = 1800.0


def steps(*counts: int, ago: float = 300.0, apart: float = 60.0) -> tuple[ScaleEvent, ...]:
    """Scale events along these counts, the last one `ago` seconds before now."""
    last = len(counts) - 2
    return tuple(
        ScaleEvent(NOW - ago - apart * (last - index), counts[index], counts[index + 1])
        for index in range(len(counts) - 1)
    )


def after(*counts: int, ago: float = 300.0, apart: float = 60.0, **changes: object) -> Evidence:
    """Five replicas would do for ten, after these counts."""
    memory = Memory(watching_since=-1e6, events=steps(*counts, ago=ago, apart=apart))
    usual = evidence(
        pool=pool(counts[-1]), memory=memory, history=history(*[45.0] * 20), forecast=forecast(*[45.0] * 100)
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_what_was_given_up_and_taken_back_is_kept() -> None:
    decision = plan(after(9, 8, 9))
    assert decision.desired == 9
    assert decision.reason.code is ReasonCode.STABILIZING
    assert "9 were given up and taken back 300 s ago" in decision.reason.text


def test_twice_the_time_later_it_may_go() -> None:
    assert plan(after(9, 8, 9, ago=HOLDS * WITHIN_S - 1.0)).desired == 9
    assert plan(after(9, 8, 9, ago=HOLDS * WITHIN_S + 1.0)).desired == 7


def test_a_lowering_that_stood_is_not_regretted() -> None:
    assert plan(after(9, 8, 9, apart=WITHIN_S + 1.0)).desired == 7
    assert plan(after(9, 8, 7)).desired == 5


def test_a_crowd_is_no_regret() -> None:
    """Nine were given up; of the forty that a crowd needed, what noise may ask beyond nine is kept."""
    seen = after(9, 8, 40)
    assert kept_count(seen)[0] == 9 + slack(9)
    assert plan(seen).desired == 32, "a fifth in a minute, as always"
    assert plan(after(9, 8, 13)).desired == 12


def test_a_lowering_in_steps_is_one() -> None:
    assert regrets(steps(9, 8, 7, 8), within_s=WITHIN_S) == [Regret(9, NOW - 300.0)]
    assert plan(after(9, 8, 7, 8)).desired == 8


def test_only_the_first_raise_takes_back() -> None:
    assert regrets(steps(9, 8, 9, 20), within_s=WITHIN_S) == [Regret(9, NOW - 360.0)]


def test_raises_alone_are_none() -> None:
    assert regrets(steps(3, 4, 8), within_s=WITHIN_S) == []
    assert regrets((), within_s=WITHIN_S) == []


def test_going_to_zero_and_back_is_none() -> None:
    assert regrets(steps(1, 0, 1), within_s=WITHIN_S) == []
    idle = Backlog(NOW, 0.0, 0.0, Trust.FRESH)
    nobody = {"history": history(*[0.0] * 200), "forecast": forecast(*[0.0] * 100), "backlog": idle}
    rest = after(2, 1, 2, rest=Rest(60.0), **nobody)
    assert plan(replace(rest, pool=pool(1, min_replicas=0))).desired == 0


def test_raises_are_held_by_nothing() -> None:
    seen = after(9, 8, 9, history=history(*[115.0] * 20), forecast=forecast(*[115.0] * 100))
    assert plan(seen).desired == 12


def test_limits_are_above_it() -> None:
    assert plan(after(9, 8, 9, pool=pool(9, max_replicas=6))).desired == 6


@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.APPROVE])
def test_it_holds_recommendations_too(mode: Mode) -> None:
    assert plan(after(9, 8, 9, mode=mode)).desired == 9


def test_a_window_of_zero_switches_it_off() -> None:
    down = replace(Behavior().down, stabilization_s=0.0)
    assert plan(after(9, 8, 9, behavior=replace(Behavior(), down=down))).desired == 7
    seen = after(9, 8, 9)
    assert plan(replace(seen, rhythm=replace(seen.rhythm, regret_s=0.0))).desired == 7


def test_events_are_remembered_for_as_long_as_they_can_be_regretted() -> None:
    kept_s = REMEMBERED * WITHIN_S
    memory = Memory(0.0, events=(ScaleEvent(NOW - kept_s - 1.0, 9, 8), ScaleEvent(NOW - kept_s + 1.0, 8, 7)))
    seen = evidence(memory=memory)
    assert plan(seen).memory.events == memory.events[1:]
    told = remember_recommendation(memory, at=NOW, replicas=3, behavior=Behavior())
    assert told.events == (), "without being asked, no longer than behavior needs"


def test_a_day_that_is_compressed_regrets_for_a_shorter_time() -> None:
    assert regret_time(86400.0) == WITHIN_S
    assert regret_time(7200.0) == 150.0
    assert regret_time(7 * 86400.0) == WITHIN_S
