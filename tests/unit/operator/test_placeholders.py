"""Held nodes: up at zero, down for replicas, and never by pods that no model's pod may push out."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from twins import ClusterTwin

from foretide.operator import placeholders
from foretide.operator.naps import BARRED_S
from foretide.operator.placeholders import Held
from foretide.operator.seams import Body
from foretide.policies.declared import PLACEHOLDER
from foretide.policies.warm.ladder import READY, ZERO

NOTHING = Held()


@dataclass
class Cluster(ClusterTwin):
    """Placeholders of one priority, on a node each."""

    priority: int = -10
    named: str = "low"
    nodes: dict[str, str] = field(default_factory=dict)

    async def pods(self, namespace: str, selector: str) -> list[Body]:
        spec = {"priority": self.priority, "priorityClassName": self.named, "nodeName": "gpu-0"}
        return [{"metadata": {"name": f"hold-{i}"}, "spec": spec} for i in range(self.replicas["hold"])]


async def settled(cluster: ClusterTwin, tier: str, before: Held = NOTHING, now: float = 0.0) -> Held:
    return await placeholders.settle(
        cluster, before, namespace="prod", deployment="hold", priority_class="low", tier=tier, now=now
    )


@pytest.mark.parametrize(
    ("before", "tier", "after"),
    [(0, PLACEHOLDER, 1), (1, PLACEHOLDER, 1), (1, READY, 0), (1, ZERO, 0), (1, "", 1), (0, "", 0), (0, READY, 0)],
)
async def test_a_node_is_held_while_nobody_asks_and_let_go_for_replicas(before: int, tier: str, after: int) -> None:
    cluster = Cluster(replicas={"hold": before})
    found = await settled(cluster, tier)
    assert found.trouble is None
    assert cluster.replicas["hold"] == after
    assert len(cluster.writes) == (before != after)


async def test_a_placeholder_class_with_too_high_a_priority_is_told_and_holds_nothing() -> None:
    cluster = Cluster(replicas={"hold": 0}, priority=0)
    held = await settled(cluster, PLACEHOLDER)
    assert held.ours
    found = await settled(cluster, PLACEHOLDER, held)
    assert found.trouble is not None
    assert found.trouble.reason == "PlaceholderPriorityTooHigh"
    assert "give low a value below 0" in found.trouble.message
    assert cluster.writes == [("hold", 1), ("hold", 0)]
    later = await settled(cluster, READY, found, now=BARRED_S - 1.0)
    assert later.trouble == found.trouble, "the next one would be no other"
    assert (await settled(cluster, READY, later, now=BARRED_S)).trouble is None, "but it may be mended by then"


@pytest.mark.parametrize("tier", [PLACEHOLDER, READY, ZERO, ""])
@pytest.mark.parametrize("replicas", [1, 3])
async def test_a_deployment_that_is_something_else_is_left_alone_and_told(tier: str, replicas: int) -> None:
    cluster = Cluster(replicas={"hold": replicas}, priority=0)
    found = await settled(cluster, tier)
    assert found.trouble is not None
    assert cluster.writes == []


async def test_pods_of_another_class_than_the_declared_one_are_told() -> None:
    found = await settled(Cluster(replicas={"hold": 1}, named="other"), PLACEHOLDER)
    assert found.trouble is not None
    assert found.trouble.reason == "PlaceholderClassDiffers"


async def test_a_deployment_that_is_not_there_is_told_with_the_fix() -> None:
    found = await settled(ClusterTwin(), PLACEHOLDER)
    assert found.trouble is not None
    assert found.trouble.reason == "PlaceholderMissing"
    assert "create it with replicas: 0" in found.trouble.message


async def test_pods_that_say_nothing_of_their_priority_count_as_too_high() -> None:
    class Silent(Cluster):
        async def pods(self, namespace: str, selector: str) -> list[Any]:
            return [{"metadata": {"name": "hold-0"}}]

    found = await settled(Silent(replicas={"hold": 1}), PLACEHOLDER)
    assert found.trouble is not None
    assert found.trouble.reason == "PlaceholderPriorityTooHigh"
