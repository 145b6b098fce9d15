"""The registry: a bad edit changes nothing, a missed event is counted, an old event is ignored."""

import json

from twins import resource

from foretide.operator.registry import Registry
from foretide.operator.seams import Key

LLAMA = Key("prod", "llama")


def edited(generation: int, **spec: object) -> dict[str, object]:
    body = resource(**spec)
    body["metadata"]["generation"] = generation
    return body


def test_a_bad_edit_keeps_the_last_accepted_spec_in_force() -> None:
    registry = Registry()
    registry.see(edited(1))
    registry.see(edited(2, objective={}))
    entry = registry.get(LLAMA)
    assert entry is not None
    assert entry.generation == 2
    assert entry.problems
    assert entry.resource is not None
    assert entry.resource.generation == 1


def test_a_resource_created_anew_inherits_nothing() -> None:
    registry = Registry()
    registry.see(edited(1))
    reborn = edited(1, objective={})
    reborn["metadata"]["uid"] = "another"  # type: ignore[index]
    registry.see(reborn)
    entry = registry.get(LLAMA)
    assert entry is not None
    assert entry.resource is None


def test_an_older_generation_that_arrives_late_is_ignored() -> None:
    registry = Registry()
    registry.see(edited(3, mode="Auto"))
    assert not registry.see(edited(2, mode="Recommend"))
    entry = registry.get(LLAMA)
    assert entry is not None
    assert entry.generation == 3


def test_a_mere_status_change_is_no_news() -> None:
    registry = Registry()
    assert registry.see(edited(1))
    assert not registry.see(edited(1) | {"status": {"observedGeneration": 1}})


def test_a_pause_by_annotation_is_news_although_the_generation_stays() -> None:
    registry = Registry()
    registry.see(edited(1))
    paused = edited(1)
    paused["metadata"]["annotations"] = {"autoscaling.foretide.io/paused": "true"}  # type: ignore[index]
    assert registry.see(paused)


def test_a_relist_counts_what_the_watch_did_not_tell() -> None:
    registry = Registry()
    registry.see(resource("seen"))
    registry.see(resource("gone"))
    changed = registry.reconcile([resource("seen"), resource("missed")])
    assert set(changed) == {Key("prod", "gone"), Key("prod", "missed")}
    assert registry.divergences == 2
    assert registry.reconcile([resource("seen"), resource("missed")]) == ()


def test_a_field_that_the_api_server_pruned_is_still_warned_about() -> None:
    registry = Registry()
    body = resource()
    applied = resource(warmPool=3)
    body["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied)}
    registry.see(body)
    entry = registry.get(LLAMA)
    assert entry is not None
    assert entry.warnings == ("spec.warmPool: unknown field; remove it or correct its name",)
