"""Rehearsals are done while there is time for them, and nobody else's round waits."""

import pytest

from foretide.operator.rehearsals import SAVED_S, SHARE, Rehearsals


class Times:
    def __init__(self) -> None:
        self.now = self.spent = 0.0
        self.done = 0
        self.rehearsals = Rehearsals(now=lambda: self.now, spent=lambda: self.spent)

    def work(self, takes: float) -> bool:
        def rehearse() -> None:
            self.spent += takes
            self.done += 1

        return self.rehearsals(rehearse)


def test_a_few_targets_are_all_rehearsed_at_once() -> None:
    times = Times()
    assert all(times.work(0.5) for _ in range(20))


def test_of_many_some_wait_and_have_their_turn_later() -> None:
    times = Times()
    assert sum(times.work(0.5) for _ in range(1000)) == SAVED_S / 0.5
    assert not times.work(0.5)
    times.now += 60.0
    assert sum(times.work(0.5) for _ in range(1000)) == SAVED_S / 0.5
    assert times.spent <= 2 * SAVED_S


def test_what_is_not_used_is_not_saved_without_end() -> None:
    times = Times()
    times.now += 1e6
    assert sum(times.work(1.0) for _ in range(1000)) == SAVED_S


def test_one_that_fails_has_cost_its_time_too() -> None:
    times = Times()

    def broken() -> None:
        times.spent += SAVED_S
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        times.rehearsals(broken)
    assert not times.work(0.1)
    times.now += 1.0 / SHARE
    assert times.work(0.1)
