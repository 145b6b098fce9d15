"""The shipped loop under `actuation: keda`: it decides, marks and tells as ever, and writes no replicas."""

from typing import Any

from shell import LLAMA, World, world

from foretide.operator.actuate import Outcome
from foretide.policies.flow import ScaleEvent

ASKING = {
    "kind": "ScaledObject",
    "metadata": {"name": "llama"},
    "spec": {
        "scaleTargetRef": {"name": "llama"},
        "triggers": [{"type": "external-push", "metadata": {"autoscaler": "llama"}}],
    },
}


def under_keda(rate: float = 45.0, *, replicas: int = 3, **spec: Any) -> World:
    found = world()
    found.deploy(replicas=replicas, actuation="keda", **spec)
    found.serve(rate, pods=replicas)
    found.cluster.other_scalers.append(ASKING)
    return found


async def test_an_order_is_handed_over_and_never_written() -> None:
    found = under_keda()
    turn = await found.plan()
    assert turn.actuation is not None
    assert turn.actuation.outcome is Outcome.HANDED
    assert turn.actuation.message == "KEDA is told to scale Deployment llama from 3 to 5"
    await found.live(30)
    assert found.cluster.writes == []
    assert (found.status()["pools"][0]["current"], found.status()["pools"][0]["desired"]) == (3, 5)
    assert "foretide_scale_write_total{" not in found.telemetry.page().decode()


async def test_the_same_order_is_one_line_of_history_until_it_is_done() -> None:
    found = under_keda()
    await found.live(5)
    assert [(item["from"], item["to"]) for item in found.status()["history"]] == [(3, 5)]


async def test_who_asks_is_told_and_is_no_conflict() -> None:
    found = under_keda()
    await found.plan()
    assert found.condition("Conflict")["status"] == "False"
    assert "ScaledObject llama, which asks us" in found.condition("Conflict")["message"]
    assert found.condition("AbleToScale")["status"] == "True"
    assert found.condition("Ready")["status"] == "True"


async def test_that_nobody_asks_is_told_with_the_fix() -> None:
    found = under_keda()
    found.cluster.other_scalers.clear()
    await found.plan()
    able = found.condition("AbleToScale")
    assert (able["status"], able["reason"]) == ("False", "NoScaledObject")
    assert able["message"] == (
        "actuation is keda, and no ScaledObject of Deployment llama asks for llama; "
        "apply what `foretide keda prod/llama` prints"
    )
    assert found.condition("Ready")["reason"] == "NoScaledObject"


async def test_in_a_mode_that_does_not_act_nobody_need_ask() -> None:
    found = under_keda(mode="Recommend")
    found.cluster.other_scalers.clear()
    await found.plan()
    assert found.condition("AbleToScale")["status"] == "True"
    assert found.condition("Ready")["reason"] == "RecommendOnly"


async def test_what_keda_wrote_counts_as_a_move_of_ours() -> None:
    found = under_keda()
    await found.plan()
    found.cluster.replicas["llama"] = 5
    await found.plan(after=60.0)
    target = found.loop._parts.targets.known(LLAMA)
    assert target is not None
    assert target.memory.events == (ScaleEvent(found.clock.now(), 3, 5),)


async def test_the_pods_that_may_go_are_marked_before_keda_lowers() -> None:
    found = under_keda(12.0, replicas=5)
    await found.live(30)
    assert found.cluster.writes == []
    assert found.cluster.annotations


async def test_an_hpa_that_lost_our_metric_is_told_with_the_fix() -> None:
    found = under_keda()
    (asks,) = found.cluster.other_scalers
    owner = [{"kind": "ScaledObject", "name": asks["metadata"]["name"]}]
    made = {"metadata": {"name": "keda-hpa-llama", "ownerReferences": owner}, "spec": {"metrics": []}}
    made["spec"] |= {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"}}
    found.cluster.other_scalers.append(made)
    await found.plan()
    able = found.condition("AbleToScale")
    assert (able["status"], able["reason"]) == ("False", "MetricMissing")
    assert "keda-hpa-llama has no metric desired-replicas" in able["message"]
    assert found.condition("Conflict")["status"] == "False"
    assert found.condition("Ready")["reason"] == "MetricMissing"


async def test_a_scaled_object_whose_trigger_was_replaced_is_a_conflict_with_the_fix() -> None:
    found = under_keda()
    (asks,) = found.cluster.other_scalers
    asks["spec"]["triggers"] = [{"type": "prometheus", "metadata": {"query": "up"}}]
    await found.plan()
    conflict = found.condition("Conflict")
    assert conflict["status"] == "True"
    assert "no external trigger of it asks for llama" in conflict["message"]
    assert "foretide keda prod/llama" in conflict["message"]
