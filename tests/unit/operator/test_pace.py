"""So many writes a second, and no more of them saved up than one second's."""

from twins import ClockTwin

from foretide.operator.pace import Pace


def gone(pace: Pace) -> int:
    count = 0
    while pace.free():
        pace.spend()
        count += 1
    return count


def test_one_seconds_worth_goes_at_once_and_then_as_time_passes() -> None:
    clock = ClockTwin()
    pace = Pace(20.0, now=clock.monotonic)
    assert gone(pace) == 20
    clock.time += 0.25
    assert gone(pace) == 5
    clock.time += 3600.0
    assert gone(pace) == 20


def test_what_does_not_wait_takes_from_what_does() -> None:
    clock = ClockTwin()
    pace = Pace(20.0, now=clock.monotonic)
    pace.spend(50)
    clock.time += 1.0
    assert gone(pace) == 0
    clock.time += 1.0
    assert gone(pace) == 10


def test_less_than_one_a_second_goes_too() -> None:
    clock = ClockTwin()
    pace = Pace(0.5, now=clock.monotonic)
    assert gone(pace) == 1
    clock.time += 1.0
    assert not pace.free()
    clock.time += 1.1
    assert pace.free()


def test_a_clock_that_stands_still_gives_nothing() -> None:
    clock = ClockTwin()
    pace = Pace(2.0, now=clock.monotonic)
    assert gone(pace) == 2
    clock.time -= 5.0
    assert not pace.free()
