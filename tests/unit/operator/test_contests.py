"""Somebody else writes the replicas of a target: the loop steps back, says whom it met, and comes back."""

import pytest
from shell import LLAMA, World, world
from twins import resource

from foretide.operator.contests import remembered
from foretide.operator.kube import _writer
from foretide.operator.seams import ClusterError
from foretide.policies.contest import QUIET_S, Held

RESUME = "autoscaling.foretide.io/resume"


def wanting_five() -> World:
    """Demand for five replicas where three stand."""
    found = world()
    found.deploy(replicas=3)
    found.serve(45.0, pods=5, minutes=120.0)
    return found


async def fight(found: World, rounds: int, *, manager: str = "argocd-controller") -> None:
    for _ in range(rounds):
        await found.plan(after=60.0)
        found.cluster.set_by_hand("llama", 3, manager=manager)
    await found.plan(after=60.0)


async def test_after_three_foreign_writes_it_holds_and_names_who_wrote() -> None:
    found = wanting_five()
    await fight(found, 3)
    assert found.cluster.writes == [("llama", 5)] * 3
    await found.live(20)
    assert len(found.cluster.writes) == 3
    condition = found.condition("Conflict")
    assert (condition["status"], condition["reason"]) == ("True", "ForeignWrites")
    assert condition["message"].startswith("argocd-controller changed the replicas that we wrote 3 times")
    assert RESUME in condition["message"]
    assert [event["reason"] for event in found.cluster.events].count("ForeignWrites") >= 1
    assert found.condition("Ready")["status"] == "False"


async def test_it_resumes_by_itself_after_a_quiet_time() -> None:
    found = wanting_five()
    await fight(found, 3)
    found.cluster.writes.clear()
    await found.live(QUIET_S / 60 - 2)
    assert found.cluster.writes == []
    await found.live(3)
    assert found.cluster.writes == [("llama", 5)]
    assert found.condition("Conflict")["status"] == "False"


async def test_its_owner_resumes_it_at_once() -> None:
    found = wanting_five()
    await fight(found, 3)
    found.cluster.writes.clear()
    body = resource()
    assert found.registry.see(body | {"metadata": body["metadata"] | {"annotations": {RESUME: "2026-11-27"}}})
    await found.live(1)
    assert found.cluster.writes == [("llama", 5)]


async def test_a_restart_does_not_forget_it() -> None:
    found = wanting_five()
    await fight(found, 3)
    found.cluster.writes.clear()
    found.registry.see(resource() | {"status": found.status()})
    found.begin_a_life()
    await found.live(10)
    assert found.cluster.writes == []
    assert found.condition("Conflict")["message"].count(RESUME) == 1
    await found.live(25)
    assert found.cluster.writes == [("llama", 5)]


async def test_two_foreign_writes_are_answered_by_deciding_again() -> None:
    found = wanting_five()
    await fight(found, 2)
    assert found.cluster.writes == [("llama", 5)] * 3


async def test_who_may_not_be_known_is_somebody() -> None:
    found = wanting_five()
    found.cluster.failing["writer"] = ClusterError("forbidden", status=403)
    await fight(found, 3)
    assert found.condition("Conflict")["message"].startswith("somebody changed")


async def test_the_count_of_another_replica_of_the_operator_is_ours() -> None:
    found = wanting_five()
    await fight(found, 4, manager="foretide")
    assert found.condition("Conflict")["status"] == "False"


@pytest.mark.parametrize("mode", ["Recommend", "Paused"])
async def test_where_we_write_nothing_everybody_may(mode: str) -> None:
    found = world()
    found.deploy(replicas=3, mode=mode)
    found.serve(45.0, pods=5)
    for count in (4, 0, 5, 3, 0):
        await found.plan(after=60.0)
        found.cluster.set_by_hand("llama", count)
    await found.plan(after=60.0)
    assert found.condition("Conflict", LLAMA)["status"] == "False"


@pytest.mark.parametrize("told", [{}, {"conditions": [{"type": "Conflict", "status": "True", "reason": "Conflict"}]}])
def test_another_autoscaler_is_no_contest_to_remember(told: dict[str, object]) -> None:
    assert remembered(told, resume="").held is Held.NOT


def test_the_newest_manager_of_the_replicas_is_who_wrote_them() -> None:
    replicas = {"f:spec": {"f:replicas": {}}}
    managed = [
        {"manager": "kubectl-create", "time": "2026-11-27T00:00:00Z", "fieldsV1": replicas},
        {"manager": "kubectl", "subresource": "scale", "time": "2026-11-27T00:00:09Z", "fieldsV1": replicas},
        {"manager": "kube-controller-manager", "time": "2026-11-27T01:00:00Z", "fieldsV1": {"f:status": {}}},
        {"manager": "odd", "fieldsV1": None},
    ]
    assert _writer(managed) == "kubectl"
    assert _writer([]) == ""
