"""What warmth has cost, from looks to the status and back in a new life."""

from dataclasses import replace
from typing import Any

import pytest
from given import NOW, evidence, history, pool
from hypothesis import given
from hypothesis import strategies as st
from twins import pod

from foretide.operator.look import Look
from foretide.operator.pods import replicas
from foretide.operator.seams import Scale
from foretide.operator.warm_book import moment_of, nobody_asks, published, remembered, told
from foretide.policies.flow import Backlog, Trust
from foretide.policies.warm.account import Moment, Standing, Waking, WarmAccount, seen

SCALARS = st.none() | st.integers() | st.text(max_size=5)
WORDS = st.sampled_from(
    ["since", "wakes", "idleGPUHours", "podsEnded", "podsUtilityBelow1", "coldStartedRequests", "tier"]
)
SILENT = Backlog(NOW, 0.0, 0.0, Trust.FRESH)


def kept(at: float = NOW) -> WarmAccount:
    found = WarmAccount(
        NOW - 7200.0,
        idle_gpu_s={"ready": 3600.0, "sleeping": 1800.0},
        cold_started=4.0,
        ended=5,
        below_one=1,
        wakes={"zero": Waking(3, 180.0, 50.0)},
    )
    return replace(found, last=Moment(at, (), idle=True, held=0.0))


def test_only_pods_that_are_ready_stand_and_a_pod_that_goes_does_not() -> None:
    going = pod("llama-2")
    going["metadata"]["deletionTimestamp"] = "2023-11-14T22:00:00Z"
    look = Look(Scale(3, "7", "app=llama"), replicas([pod("llama-0"), pod("llama-1", ready=False), going]), "")
    found = moment_of(look, evidence(pool=pool(3, gpus_per_replica=4), backlog=replace(SILENT, waiting=3.0)))
    assert found.standing == (Standing("llama-0", 90.0),)
    assert (found.gpus, found.held) == (4, 3.0)


@pytest.mark.parametrize(
    ("changes", "idle"),
    [
        ({"history": history(0.0, 0.0), "backlog": SILENT}, True),
        ({"history": history(0.0, 0.1), "backlog": SILENT}, False),
        ({"history": history(0.0, 0.0), "backlog": replace(SILENT, running=1.0)}, False),
        ({"history": history(0.0, float("nan")), "backlog": SILENT}, None),
        ({"history": history(0.0, 0.0, trust=Trust.STALE), "backlog": SILENT}, None),
        ({"history": history(0.0, 0.0), "backlog": None}, None),
        ({"history": history(0.0, 0.0), "backlog": replace(SILENT, waiting=None)}, None),
        ({"history": history(0.0, 0.0), "backlog": replace(SILENT, trust=Trust.PARTIAL)}, None),
    ],
)
def test_nobody_asks_only_where_both_demand_and_queue_were_measured(changes: dict[str, Any], idle: bool | None) -> None:
    assert nobody_asks(evidence(**changes)) is idle


def test_the_status_tells_it_in_hours_and_a_new_life_goes_on_from_it() -> None:
    written = told(kept())
    assert written["idleGPUHours"] == {"ready": "1.0000", "sleeping": "0.5000"}
    assert (written["coldStartedRequests"], written["podsEnded"], written["podsUtilityBelow1"]) == (4, 5, 1)
    assert written["wakes"] == [{"tier": "zero", "count": 3, "mean": "60.0s", "last": "50.0s"}]
    again = remembered({"warm": written}, now=NOW)
    assert replace(again, last=kept().last) == kept()


def test_it_is_told_anew_when_something_happened_or_every_five_minutes() -> None:
    first = published(kept(), None)
    assert first is not None
    assert published(kept(NOW + 299.0), first) is first
    assert published(kept(NOW + 300.0), first) != first
    assert published(replace(kept(NOW + 1.0), ended=6), first) != first, "a pod went"


@given(st.recursive(SCALARS, lambda below: st.lists(below) | st.dictionaries(WORDS, below)))
def test_a_status_that_makes_no_sense_begins_anew(found: Any) -> None:
    account = remembered({"warm": found}, now=NOW)
    assert account == WarmAccount(NOW)
    assert seen(account, Moment(NOW, (), idle=None, held=0.0), longest_s=60.0)[0].last is not None
