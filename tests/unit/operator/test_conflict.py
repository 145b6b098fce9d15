"""One writer: whoever else scales the same target is named."""

from typing import Any

import pytest
from twins import resource

from foretide.operator.conflict import conflict
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
