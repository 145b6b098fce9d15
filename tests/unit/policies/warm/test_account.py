"""What warmth costs is counted by hand here: idle GPU time, requests that met a cold start, and pods' utility."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.warm.account import (
    SLEEPING,
    Moment,
    News,
    Standing,
    WarmAccount,
    held_now,
    seen,
)

POD = Standing("llama-0", started_s=60.0)


def after(*moments: Moment, longest_s: float = 180.0) -> tuple[WarmAccount, list[News]]:
    account, told = WarmAccount(0.0), []
    for moment in moments:
        account, news = seen(account, moment, longest_s=longest_s)
        told.append(news)
    return account, told


def look(at: float, *standing: Standing, idle: bool | None = False, held: float = 0.0, gpus: int = 1) -> Moment:
    return Moment(at, standing, idle=idle, held=held, gpus=gpus)


def test_gpus_that_stand_ready_for_nobody_are_counted_and_the_others_are_of_use() -> None:
    account, _ = after(
        look(0.0, POD, gpus=2),
        look(60.0, POD, idle=False, gpus=2),
        look(120.0, POD, idle=True, gpus=2),
        look(180.0, POD, idle=True, gpus=2),
    )
    assert account.idle_gpu_s == {"ready": 240.0}
    assert account.pods["llama-0"].useful_s == 60.0


def test_a_time_that_was_not_measured_is_not_idle() -> None:
    account, _ = after(look(0.0, POD), look(60.0, POD, idle=None))
    assert account.idle_gpu_s == {}
    assert account.pods["llama-0"].useful_s == 60.0


def test_a_look_that_comes_too_late_counts_nothing_since_the_last_one() -> None:
    account, _ = after(look(0.0, POD), look(200.0, POD, idle=True))
    assert account.idle_gpu_s == {}


def test_a_sleeper_is_counted_as_one_whoever_asks() -> None:
    asleep = replace(POD, tier=SLEEPING)
    account, _ = after(look(0.0, asleep), look(60.0, asleep, idle=False))
    assert account.idle_gpu_s == {"sleeping": 60.0}
    assert account.pods["llama-0"].useful_s == 0.0


def test_requests_that_no_replica_could_take_are_counted_once_for_each_wake() -> None:
    account, _ = after(look(0.0), look(60.0, held=2.0))
    account = held_now(account, 5.0)
    account, _ = seen(account, look(120.0, POD, held=4.0), longest_s=180.0)
    assert account.cold_started == 5.0
    account = held_now(account, 50.0)  # a queue before a replica that serves is another matter
    account, _ = seen(account, look(180.0, POD, held=50.0), longest_s=180.0)
    assert account.cold_started == 5.0


def test_a_pod_that_was_of_use_for_less_than_its_start_is_a_mistake() -> None:
    account, told = after(
        look(0.0),
        look(60.0, POD),
        look(90.0, POD, idle=False),
        look(120.0, POD, idle=True),
        look(180.0),
    )
    assert (account.ended, account.below_one) == (1, 1)
    assert told[-1].utilities == (0.5,)


def test_pods_that_were_there_before_this_life_say_nothing_of_their_utility() -> None:
    account, told = after(look(0.0, POD), look(60.0, POD), look(120.0))
    assert (account.ended, account.wakes) == (0, {})
    assert told[-1].utilities == ()


def test_starts_and_wakes_are_told_by_the_tier_that_they_began_in() -> None:
    account, told = after(
        Moment(0.0, (), idle=None, held=0.0, starts="placeholder"),
        look(60.0, POD),
        Moment(120.0, (POD,), idle=False, held=0.0, woke_s=2.5),
    )
    assert [news.wakes for news in told] == [(), (("placeholder", 60.0),), (("sleeping", 2.5),)]
    assert {tier: (one.count, one.last_s) for tier, one in account.wakes.items()} == {
        "placeholder": (1, 60.0),
        "sleeping": (1, 2.5),
    }


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([True, False, None])), min_size=2, max_size=20))
def test_time_is_idle_or_of_use_and_never_both(story: list[tuple[bool, bool | None]]) -> None:
    moments = [look(60.0 * i, *([POD] if there else []), idle=idle) for i, (there, idle) in enumerate(story)]
    account, told = after(*moments)
    stood = 60.0 * sum(one and two for (one, _), (two, _) in pairwise(story))
    idle = account.idle_gpu_s.get("ready", 0.0)
    useful = sum(one.useful_s for one in account.pods.values())
    useful += 60.0 * sum(utility for news in told for utility in news.utilities)
    assert idle + useful <= stood + 1e-6
    assert account.below_one <= account.ended
    if story[0][0]:  # the first pod's start was not seen, and with it goes what it was of use for
        return
    assert idle + useful == pytest.approx(stood)
