"""Whether a restart pays: the gain, what it is held against, and where there is none."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shown import LINEAR, shown

from foretide.policies.concurrency.limit_rule import Lengths
from foretide.policies.concurrency.restart import Restart, most_gained, pays, reached

LENGTHS = Lengths(1000.0, 200.0)


def gain(limit: int, best: int, **seen: float) -> float:
    return most_gained(replace(shown(limit=limit), **seen), limit=limit, best=best, model=LINEAR, lengths=LENGTHS)


def test_a_limit_that_is_never_reached_gains_nothing_by_being_another() -> None:
    assert gain(256, 190, busy=40.0) == 0.0
    assert gain(100, 190, busy=40.0) == 0.0
    assert not reached(replace(shown(), busy=79.0), limit=100, best=190)
    assert reached(replace(shown(), busy=80.0), limit=100, best=190)


def test_below_the_best_a_fuller_batch_is_faster_and_above_it_misses_can_be_saved() -> None:
    expected = LINEAR.rate(190, LENGTHS) / LINEAR.rate(100, LENGTHS) - 1.0
    assert gain(100, 190) == pytest.approx(expected)
    assert expected > 0.1
    assert gain(256, 190, ended=200, good=150) == pytest.approx(0.25)
    assert gain(256, 190, ended=200, good=200) == 0.0
    assert gain(256, 190, ended=0, good=0) == 0.0
    assert gain(190, 190) == 0.0


def test_it_pays_when_it_brings_twice_what_the_restart_takes() -> None:
    restart = Restart(start_s=300.0, lasts_s=6 * 3600.0)
    assert not pays(0.02, restart)
    assert pays(0.03, restart)
    assert not pays(0.03, replace(restart, start_s=600.0))
    assert not pays(0.03, replace(restart, lasts_s=3600.0))


@given(
    gains=st.floats(0.0, 5.0),
    start_s=st.floats(1.0, 1e4),
    lasts_s=st.floats(60.0, 1e6),
    more=st.floats(1.0, 10.0),
)
def test_a_longer_start_never_turns_a_no_into_a_yes(gains: float, start_s: float, lasts_s: float, more: float) -> None:
    if not pays(gains, Restart(start_s, lasts_s)):
        assert not pays(gains, Restart(start_s * more, lasts_s))
    assert not pays(0.0, Restart(start_s, lasts_s))
