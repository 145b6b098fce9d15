"""Blindness is noticed, told to the probe, and ends the process; an API server that is merely down does not."""

import logging

import pytest
from twins import ClockTwin

from foretide.operator.watchdog import GRACE_S, Limits, Watchdog, WatcherDeath


class Over(Exception):
    pass


class Enough(Exception):
    pass


def end(_: int) -> None:
    raise Over


def watchdog(clock: ClockTwin, *, sweeping: bool = True) -> Watchdog:
    born = clock.monotonic()
    return Watchdog(
        limits=Limits(relist_s=180.0, sweep_s=240.0),
        clock=clock,
        swept_at=clock.monotonic if sweeping else lambda: born,
        end=end,
    )


def test_all_is_well_at_first() -> None:
    assert watchdog(ClockTwin()).problem() == ""


def test_an_old_relist_is_a_problem_while_the_api_answers() -> None:
    clock = ClockTwin()
    dog = watchdog(clock)
    dog.relist_failed(answered=True)
    clock.time += 181.0
    assert dog.problem() == "the last relist is 181 s old although the API server answers"


def test_an_api_server_that_is_down_is_no_reason_to_end() -> None:
    clock = ClockTwin()
    dog = watchdog(clock)
    dog.relist_failed(answered=False)
    clock.time += 3600.0
    assert dog.problem() == ""


def test_a_sweep_that_does_not_finish_is_a_problem() -> None:
    clock = ClockTwin()
    dog = watchdog(clock, sweeping=False)
    clock.time += 170.0
    dog.relisted(diverged=False)
    clock.time += 71.0
    assert "the last sweep is 241 s old" in dog.problem()


def test_relists_that_keep_finding_untold_changes_mean_that_the_watch_is_dead() -> None:
    dog = watchdog(ClockTwin())
    dog.relisted(diverged=True)
    dog.relisted(diverged=False)
    for _ in range(3):
        assert dog.problem() == ""
        dog.relisted(diverged=True)
    assert "3 relists in a row" in dog.problem()


def test_what_kopf_says_of_a_dead_watcher_is_heard() -> None:
    dog = watchdog(ClockTwin())
    logger = logging.getLogger("kopf.test")
    handler = WatcherDeath(dog)
    logger.addHandler(handler)
    try:
        logger.error("Something else has failed: x")
        assert dog.problem() == ""
        logger.error("Watcher for inferenceautoscalers.v1alpha1 has failed: boom")
    finally:
        logger.removeHandler(handler)
    assert "Watcher for inferenceautoscalers" in dog.problem()


async def test_a_problem_that_stays_ends_the_process_after_a_time_of_grace() -> None:
    clock = ClockTwin()
    dog = watchdog(clock)
    began = clock.time
    dog.watcher_failed("boom")
    with pytest.raises(Over):
        await dog.run()
    assert clock.time - began == pytest.approx(GRACE_S, abs=5.0)


async def test_a_problem_that_is_cured_in_time_ends_nothing() -> None:
    clock = ClockTwin()
    dog = watchdog(clock)
    for _ in range(3):
        dog.relisted(diverged=True)
    sleeps = 0

    async def sleep(seconds: float) -> None:
        nonlocal sleeps
        clock.time += seconds
        sleeps += 1
        if sleeps == 3:
            dog.relisted(diverged=False)
        if sleeps == 20:
            raise Enough

    clock.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(Enough):
        await dog.run()
    assert dog.problem() == ""
