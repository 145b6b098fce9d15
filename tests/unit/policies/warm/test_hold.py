"""The cheapest plan for an idle period, against every plan there is."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.warm.hold import Held, cheapest
from foretide.policies.warm.tiers import Tiers, WarmTier, zero_or_ready

TWO = zero_or_ready(80.0)
THREE = Tiers((WarmTier("zero", 80.0, 0.0), WarmTier("sleeping", 2.0, 0.1), WarmTier("ready", 0.0, 1.0)))
HAZARDS = st.lists(st.floats(1e-4, 0.95), min_size=1, max_size=4)


def expected_cost(plan: tuple[int, ...], hazards: list[float], tiers: Tiers, *, waiting: float, worth: float) -> float:
    """Adds up, from the front, what a plan costs in GPU-seconds; its last tier is kept for ever."""
    cost, alive, now = 0.0, 1.0, len(tiers.steps) - 1
    for age, place in enumerate(plan):
        tier, chance = tiers.steps[place], hazards[min(age, len(hazards) - 1)]
        cost += alive * max(0.0, tiers.steps[now].wake_s - tier.wake_s)
        met = tier.wake_s * (1.0 + worth * waiting)
        if age == len(plan) - 1:
            return cost + alive * (60.0 * tier.price / chance + met)
        cost += alive * (60.0 * tier.price + chance * met)
        alive, now = alive * (1.0 - chance), place
    raise AssertionError


@given(HAZARDS, st.sampled_from([TWO, THREE]), st.floats(0, 50), st.floats(1, 20))
def test_no_other_plan_is_cheaper(hazards: list[float], tiers: Tiers, worth: float, waiting: float) -> None:
    held = cheapest(np.array([hazards]), tiers=tiers, waiting=np.array([waiting]), worth=worth)
    chosen = tuple(held.tiers[0].tolist())
    every = product(range(len(tiers.steps)), repeat=len(hazards) + 1)
    least = min(expected_cost(plan, hazards, tiers, waiting=waiting, worth=worth) for plan in every)
    assert expected_cost(chosen, hazards, tiers, waiting=waiting, worth=worth) == pytest.approx(least)


def test_a_timer_is_met_by_a_start_just_before_it() -> None:
    hazards = np.full((1, 60), 1e-3)
    hazards[0, 29] = 0.9
    held = cheapest(hazards, tiers=TWO, waiting=np.ones(1), worth=5.0)
    assert held.tiers[0, 29] == 1
    assert held.tiers[0, 5:28].tolist() == [0] * 23


def test_waiting_that_is_worth_nothing_is_never_bought_off_and_dear_waiting_always() -> None:
    hazards = np.full((1, 30), 0.05)
    assert not cheapest(hazards, tiers=TWO, waiting=np.ones(1), worth=0.0).tiers.any()
    assert cheapest(hazards, tiers=TWO, waiting=np.ones(1), worth=1e6).tiers.all()


@given(HAZARDS, st.floats(0, 10), st.floats(0, 10))
def test_dearer_waiting_never_means_more_of_it(hazards: list[float], one: float, other: float) -> None:
    alive = np.concatenate([[1.0], np.cumprod(1.0 - np.array(hazards))])
    chance = alive * np.array([*hazards, 1.0])

    def waits(worth: float) -> float:
        held = cheapest(np.array([hazards]), tiers=THREE, waiting=np.ones(1), worth=worth).tiers[0]
        return float((chance * THREE.wake_s[held]).sum())

    assert waits(max(one, other)) <= waits(min(one, other)) + 1e-6


def test_periods_are_planned_apart() -> None:
    hazards = np.random.default_rng(0).uniform(0.01, 0.5, (5, 20))
    waiting = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    together = cheapest(hazards, tiers=THREE, waiting=waiting, worth=2.0).tiers
    alone = [
        cheapest(hazards[i : i + 1], tiers=THREE, waiting=waiting[i : i + 1], worth=2.0).tiers[0] for i in range(5)
    ]
    assert (together == np.stack(alone)).all()


def test_the_last_tier_stands_for_all_that_comes_after() -> None:
    held = Held(np.array([[1, 1, 0], [0, 1, 1]], dtype=np.int8))
    assert held.at(np.array([1, 2])).tolist() == [1, 1]
    assert held.at(np.array([3, 500])).tolist() == [0, 1]


def test_a_negative_worth_is_refused() -> None:
    with pytest.raises(ValueError, match="worth: -1: give GPU-seconds"):
        cheapest(np.full((1, 3), 0.1), tiers=TWO, waiting=np.ones(1), worth=-1.0)


@given(HAZARDS, st.sampled_from([TWO, THREE]), st.floats(0, 50), st.floats(1, 20), st.sampled_from([0, -1]))
def test_one_period_is_planned_as_it_is_among_others(
    hazards: list[float], tiers: Tiers, worth: float, waiting: float, start: int
) -> None:
    both = cheapest(np.array([hazards] * 2), tiers=tiers, waiting=np.full(2, waiting), worth=worth, start=start)
    alone = cheapest(np.array([hazards]), tiers=tiers, waiting=np.array([waiting]), worth=worth, start=start)
    assert alone.tiers.tolist() == both.tiers[:1].tolist()
    first = cheapest(np.array([hazards]), tiers=tiers, waiting=np.array([waiting]), worth=worth, start=start, ages=2)
    assert first.tiers.tolist() == both.tiers[:1, :2].tolist()
