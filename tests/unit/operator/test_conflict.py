"""One writer: whoever else scales the same target is named."""

from typing import Any

import pytest
from twins import resource

from foretide.operator.conflict import asking, conflict
from foretide.operator.resource import Resource, parse

LLAMA = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"}


def ours(name: str = "a", target: str = "llama", created: str = "2023-11-14T21:00:00Z") -> Resource:
    body = resource(name, pools=[{"targetRef": {"name": target}, "accelerator": "H100", "maxReplicas": 4}])
    body["metadata"]["creationTimestamp"] = created
    parsed = parse(body).resource
    assert parsed is not None
    return parsed


def rival(ref: dict[str, Any], kind: str = "") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "rival"}, "spec": {"scaleTargetRef": ref}}


def test_alone_is_no_conflict() -> None:
    assert conflict(ours(), rivals=[], others=[ours()]) == ""


def test_an_hpa_on_the_target_is_named_with_what_to_do() -> None:
    found = conflict(ours(), rivals=[rival(LLAMA)], others=[])
    assert found == "HorizontalPodAutoscaler rival scales Deployment llama too; delete one of the two"


def test_a_scaled_object_may_leave_kind_and_version_out() -> None:
    assert "ScaledObject rival" in conflict(ours(), rivals=[rival({"name": "llama"}, "ScaledObject")], others=[])


@pytest.mark.parametrize(
    "ref", [LLAMA | {"name": "other"}, LLAMA | {"kind": "StatefulSet"}, LLAMA | {"apiVersion": "example.com/v1"}, {}]
)
def test_a_rival_of_another_target_is_none(ref: dict[str, Any]) -> None:
    assert conflict(ours(), rivals=[rival(ref)], others=[]) == ""


def test_of_two_of_ours_the_older_acts_and_the_younger_says_so() -> None:
    older, younger = ours("b", created="2023-11-14T20:00:00Z"), ours("a")
    assert conflict(older, rivals=[], others=[older, younger]) == ""
    assert "InferenceAutoscaler b is older" in conflict(younger, rivals=[], others=[older, younger])


def test_of_two_equally_old_exactly_one_acts() -> None:
    both = [ours("a"), ours("b")]
    assert [bool(conflict(one, rivals=[], others=both)) for one in both] == [False, True]


def by_keda(actuation: str = "keda") -> Resource:
    parsed = parse(resource("llama", actuation=actuation)).resource
    assert parsed is not None
    return parsed


def scaled_object(name: str = "llama", *, autoscaler: str = "llama", kind: str = "external-push") -> dict[str, Any]:
    trigger = {"type": kind, "metadata": {"scalerAddress": "foretide:9091", "autoscaler": autoscaler}}
    spec = {"scaleTargetRef": {"name": "llama"}, "triggers": [{"type": "cron"}, trigger]}
    return {"kind": "ScaledObject", "metadata": {"name": name}, "spec": spec}


def hpa_of(scaled: str) -> dict[str, Any]:
    body = rival(LLAMA)
    body["metadata"] |= {"name": f"keda-hpa-{scaled}", "ownerReferences": [{"kind": "ScaledObject", "name": scaled}]}
    return body


@pytest.mark.parametrize("kind", ["external", "external-push"])
def test_the_scaled_object_that_asks_us_and_its_hpa_are_no_rivals(kind: str) -> None:
    rivals = [scaled_object(kind=kind), hpa_of("llama")]
    assert asking(by_keda(), rivals) == "llama"
    assert conflict(by_keda(), rivals=rivals, others=[]) == ""


def test_where_we_write_ourselves_the_one_that_asks_us_is_a_second_writer() -> None:
    found = conflict(by_keda("scale"), rivals=[scaled_object()], others=[])
    assert found == "ScaledObject llama asks us and scales Deployment llama; set `actuation: keda`"


@pytest.mark.parametrize(
    "other",
    [scaled_object(autoscaler="another"), scaled_object(kind="prometheus"), hpa_of("other"), rival(LLAMA)],
)
def test_under_keda_everybody_else_is_still_a_rival(other: dict[str, Any]) -> None:
    other["metadata"]["name"] = "other"
    assert "other scales Deployment llama too" in conflict(by_keda(), rivals=[scaled_object(), other], others=[])


def test_of_two_scaled_objects_that_ask_one_is_too_many() -> None:
    found = conflict(by_keda(), rivals=[scaled_object("a"), scaled_object("b")], others=[])
    assert "ScaledObject b scales Deployment llama too" in found


def test_one_that_asks_us_and_scales_something_else_is_not_ours() -> None:
    elsewhere = scaled_object()
    elsewhere["spec"]["scaleTargetRef"]["name"] = "other"
    assert asking(by_keda(), [elsewhere]) == ""
