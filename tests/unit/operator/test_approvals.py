"""Mode Approve in the shipped loop: what is published, what a person answers, and what comes of it."""

from typing import Any

import pytest
from shell import LLAMA, World, world

from foretide.operator.approvals import approval, pending_of, pending_told
from foretide.operator.resource import APPROVE, parse
from foretide.operator.status import signature
from foretide.policies.flow import Approval, Pending


def busy(rate: float = 45.0, *, replicas: int = 3) -> World:
    found = world()
    found.deploy(replicas=replicas, mode="Approve")
    found.serve(rate, pods=replicas)
    return found


def approve(found: World, written: str) -> None:
    """The annotation as the watch tells it, together with the status that is published by then."""
    body = found.cluster.resources[LLAMA]
    body["metadata"]["annotations"] = {APPROVE: written}
    found.registry.see(body | {"status": found.cluster.statuses.get(LLAMA, {})})


def waiting(found: World) -> dict[str, Any]:
    told: dict[str, Any] = found.status().get("pendingApproval") or {}
    return told


def reasons(found: World) -> list[str]:
    return [event["reason"] for event in found.cluster.events]


async def test_a_recommendation_waits_and_is_carried_out_when_it_is_approved() -> None:
    found = busy()
    await found.live(5)
    assert found.cluster.writes == []
    assert (waiting(found)["from"], waiting(found)["to"]) == (3, 5)
    assert found.condition("Ready")["reason"] == "AwaitsApproval"
    approve(found, f"5@{waiting(found)['id']}")
    await found.plan(after=10.0)
    assert found.cluster.writes == [("llama", 5)]
    assert waiting(found) == {}
    assert found.status()["pools"][0]["current"] == 5
    await found.live(30)
    assert found.cluster.writes == [("llama", 5)]
    assert "ApprovalRefused" not in reasons(found), "an answered approval is not told of again"


async def test_a_part_of_the_way_is_told_as_it_was_written() -> None:
    found = busy()
    await found.plan()
    approve(found, f"4@{waiting(found)['id']}")
    await found.plan(after=60.0)
    assert found.cluster.writes == [("llama", 4)]
    assert found.status()["pools"][0]["current"] == 4
    assert (found.status()["history"][0]["from"], found.status()["history"][0]["to"]) == (3, 4)


async def test_an_approval_that_comes_too_late_is_refused_by_an_event_that_says_why() -> None:
    found = busy()
    await found.plan()
    name = waiting(found)["id"]
    await found.live(16)
    assert waiting(found)["id"] != name
    approve(found, f"5@{name}")
    await found.live(20)
    assert found.cluster.writes == []
    assert reasons(found) == ["ApprovalRefused"]
    assert "what waits is 5@" in found.cluster.events[0]["message"]


async def test_an_approval_outlives_the_operator_that_asked_for_it() -> None:
    found = busy()
    await found.plan()
    approve(found, f"5@{waiting(found)['id']}")
    found.begin_a_life()
    await found.plan(after=60.0)
    assert found.cluster.writes == [("llama", 5)]


async def test_who_takes_over_the_lead_honours_what_the_leader_had_published() -> None:
    found = busy()
    found.leads = False
    await found.plan()
    published = {"pendingApproval": pending_told(Pending("1f0c9a3e", 3, 5, found.clock.now() + 600))}
    found.cluster.statuses[LLAMA] = published
    approve(found, "nonsense")
    await found.plan(after=60.0)
    found.leads = True
    approve(found, "5@1f0c9a3e")
    await found.plan(after=60.0)
    assert found.cluster.writes == [("llama", 5)]


async def test_a_target_that_moves_under_the_write_is_decided_anew_on_the_same_approval() -> None:
    found = busy()
    await found.plan()
    approve(found, f"5@{waiting(found)['id']}")
    found.cluster.meddle = {"llama": 3}
    await found.plan(after=60.0)
    assert found.cluster.writes == []
    await found.plan(after=5.0)
    assert found.cluster.writes == [("llama", 5)]


async def test_no_queue_is_relieved_without_approval() -> None:
    found = world()
    found.deploy(replicas=3, mode="Approve")
    found.serve(25.0, pods=3, waiting=500.0)
    await found.plan()
    assert await found.loop.relief_pass() == ()
    assert found.cluster.writes == []


async def test_what_waits_is_news_and_is_told_at_once() -> None:
    assert signature({}) != signature({"pendingApproval": {"id": "1f0c9a3e"}})


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (None, None),
        ("", None),
        ("5@1f0c9a3e", Approval("5@1f0c9a3e", 5, "1f0c9a3e")),
        ("5", Approval("5", -1, "")),
        ("5@", Approval("5@", -1, "")),
        ("-5@x", Approval("-5@x", -1, "")),
        ("five@x", Approval("five@x", -1, "")),
        ("٥@x", Approval("٥@x", -1, "")),
        ("999999@x", Approval("999999@x", -1, "")),
    ],
)
def test_an_annotation_is_a_count_and_an_id(written: str | None, found: Approval | None) -> None:
    assert approval(written) == found


def test_other_modes_do_not_read_the_annotation() -> None:
    body = world_resource("Auto")
    assert body.spec.approval is None
    assert world_resource("Approve").spec.approval == Approval("5@x", 5, "x")


def world_resource(mode: str) -> Any:
    from twins import resource

    body = resource(mode=mode)
    body["metadata"]["annotations"] = {APPROVE: "5@x"}
    return parse(body).resource


def test_what_is_published_is_found_again_and_nonsense_is_nothing() -> None:
    pending = Pending("1f0c9a3e", 3, 5, 1_700_000_000.0)
    assert pending_of({"pendingApproval": pending_told(pending)}) == pending
    for told in (
        None,
        {},
        {"id": "x"},
        pending_told(pending) | {"expires": "soon"},
        pending_told(pending) | {"to": []},
    ):
        assert pending_of({"pendingApproval": told}) is None
