"""Bad metrics, artifacts and crowds of resources in the operator's own loop: those that no other test has."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import artifact
from shell import World, world
from twins import START, resource

from foretide.forecaster.network.card import LARGEST_FILE, Refused, written
from foretide.forecaster.network.schema import REPLICA
from foretide.forecaster.network.session import opened
from foretide.operator.loop import AT_ONCE


def busy(rate: float, *, replicas: int, **engines: float) -> World:
    found = world()
    found.deploy(replicas=replicas)
    found.serve(rate, pods=replicas, **engines)
    return found


def counters(found: World) -> list[dict[str, Any]]:
    return list(found.metrics.engines.values())


async def test_28_a_count_of_zero_by_hand_stays_until_an_annotation_resumes_it() -> None:
    found = busy(12.0, replicas=2)
    await found.live(2)
    found.cluster.set_by_hand("llama", 0)
    await found.live(45)
    assert found.cluster.writes == []
    assert found.condition("Ready")["reason"] == "ZeroByHand"
    body = resource("llama")
    annotations = {"autoscaling.foretide.io/resume": "now"}
    assert found.registry.see(body | {"metadata": body["metadata"] | {"annotations": annotations}})
    await found.live(1)
    assert found.cluster.writes == [("llama", 1)]


async def test_38_counters_that_fall_never_lower_replicas() -> None:
    found = busy(45.0, replicas=5)
    for table in counters(found):
        for word in ("finished", "prompt_tokens", "output_tokens"):
            table[word] = np.where(table["at"] > START, 1e6 - table[word], table[word])
    await found.live(30)
    assert [count for _, count in found.cluster.writes if count < 5] == []


async def test_39_series_of_two_prometheus_replicas_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = busy(25.0, replicas=3)
    once = found.metrics._scrape

    def twice(start: float, end: float, step: float) -> Any:
        scrape = once(start, end, step)
        copies = [
            replace(one, labels={**one.labels, "prometheus_replica": name}) for one in scrape.series for name in "ab"
        ]
        return replace(scrape, series=tuple(copies))

    monkeypatch.setattr(found.metrics, "_scrape", twice)
    await found.live(30)
    assert found.cluster.writes == [], "three carry 25 requests/s, and not 50"


async def test_47_counters_of_all_pods_reset_at_once_lower_nothing() -> None:
    found = busy(45.0, replicas=5)
    for table in counters(found):
        for word in ("finished", "prompt_tokens", "output_tokens"):
            before = table[word][table["at"] <= START + 300.0][-1]
            table[word] = np.where(table["at"] > START + 300.0, table[word] - before, table[word])
    await found.live(30)
    assert [count for _, count in found.cluster.writes if count < 5] == []


async def test_48_a_prometheus_in_another_time_holds_and_is_told() -> None:
    found = world()
    found.deploy(replicas=5)
    found.serve(12.0, pods=5, minutes=-10.0)
    await found.live(3)
    assert found.cluster.writes == []
    assert found.condition("Ready")["reason"] == "MetricsAbsent"
    assert "MetricsAbsent" in {event["reason"] for event in found.cluster.events}


async def test_49_a_thousandfold_demand_is_bounded_by_the_maximum() -> None:
    found = busy(45_000.0, replicas=5)
    await found.live(10)
    assert max(count for _, count in found.cluster.writes) == 20
    assert found.status()["lastDecision"]["binding"] == "maxReplicas"


NONE_OF_OURS = {
    "a pickle": (pickle.dumps({"weights": [1.0]}), {}, "is no graph that can be run"),
    "cut off": (None, {"cut": 100}, "replica.onnx: hashes to"),
    "huge": (b"\0" * (LARGEST_FILE + 1), {}, "is larger than"),
    "unknown key": (None, {"card": '{"surprise": 1, '}, "surprise: Extra inputs are not permitted"),
    "wrong type": (None, {"card": '{"parameters": "many", '}, "parameters: Input should be a valid integer"),
}


@pytest.mark.parametrize("name", NONE_OF_OURS)
def test_51_an_artifact_that_is_none_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    graph, spoilt, words = NONE_OF_OURS[name]
    card = written(artifact(tmp_path, REPLICA, graph=graph))
    if "cut" in spoilt:
        path = tmp_path / "replica.onnx"
        path.write_bytes(path.read_bytes()[: spoilt["cut"]])
    if "card" in spoilt:
        first = spoilt["card"].partition('"')[2].partition('"')[0]
        kept = "\n".join(line for line in card.splitlines() if not line.startswith(f' "{first}":'))
        (tmp_path / "replica.json").write_text(spoilt["card"] + kept.removeprefix("{"), encoding="utf-8")
    with pytest.raises(Refused) as refusal:
        opened(tmp_path, "replica")
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


async def test_56_a_thousand_resources_made_anew_touch_no_workload_and_are_told_at_twenty_a_second() -> None:
    found = world(writes_per_s=20.0)
    for index in range(1000):
        found.deploy(f"app-{index}", replicas=3)
    assert len(await found.loop.plan_pass()) == 1000
    bodies = list(found.cluster.resources.values())
    found.registry.reconcile([])
    assert await found.loop.plan_pass() == []
    anew = [body | {"metadata": body["metadata"] | {"uid": f"new-{body['metadata']['uid']}"}} for body in bodies]
    found.registry.reconcile(anew)
    found.cluster.status_writes = 0
    found.cluster.events.clear()
    found.clock.time += 60.0
    await found.loop.plan_pass()
    assert found.cluster.writes == []
    assert set(found.cluster.replicas.values()) == {3}
    told = [_told(found)]
    for _ in range(600):
        found.clock.time += 0.2
        await found.finisher.catch_up()
        told.append(_told(found))
    assert max(later - before for before, later in zip(told, told[5:], strict=False)) <= 20 + 2 * AT_ONCE
    assert max(told) <= 20 * 121 + 2 * AT_ONCE
    assert found.cluster.status_writes == 1000, "one each, in the end"


def _told(found: World) -> int:
    """Writes since the resources were made anew."""
    return found.cluster.status_writes + len(found.cluster.events)
