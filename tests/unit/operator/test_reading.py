"""Reading: one question per source, the past in pieces, and no past where the source cannot tell."""

from typing import Any

import numpy as np
from shell import LLAMA, World, world
from twins import START

from foretide.operator.reading import BACKFILL_CHUNK, Reading
from foretide.operator.resource import Resource
from foretide.policies.flow import REQUESTS, Trust


def busy(**changes: Any) -> tuple[World, Reading, Resource]:
    found = world(**changes)
    found.deploy(replicas=2)
    found.serve(6.0, pods=2)
    entry = found.registry.get(LLAMA)
    assert entry is not None
    assert entry.resource is not None
    return found, Reading(found.settings, {"default": found.metrics}), entry.resource


async def test_all_targets_of_a_source_are_read_by_one_question() -> None:
    found, reading, _ = busy()
    for name in "abc":
        found.deploy(name, replicas=1)
    resources = [entry.resource for entry in found.registry.entries() if entry.resource]
    series = await reading.plan(resources, now=START)
    assert len(found.metrics.asked) == 1
    ((lens, told),) = series.items()
    assert (lens.source, lens.preset.engine) == ("default", "vllm")
    assert set(told.of("prod", {"llama-0", "llama-1"})) == {"llama-0", "llama-1"}


async def test_the_past_is_read_in_pieces_and_put_together() -> None:
    found, reading, resource = busy(backfill_s=3 * BACKFILL_CHUNK * 2.0, step_s=2.0, first_life_s=10.0)
    found.serve(6.0, pods=2, every=1.0)
    past = await reading.past(resource, now=START)
    assert past is not None
    assert len(found.metrics.asked) == 3
    assert past.coverage(3 * BACKFILL_CHUNK * 2.0) > 0.99
    np.testing.assert_allclose(past.values[-10:, REQUESTS], 6.0, rtol=0.01)


async def test_the_past_never_takes_silence_for_idleness() -> None:
    found, reading, resource = busy()
    await reading.past(resource, now=START)
    assert all(asked.startswith("last_over_time(") and asked.endswith("[30000ms])") for asked in found.metrics.asked)


async def test_a_past_that_cannot_be_read_is_none_and_not_empty() -> None:
    found, reading, resource = busy()
    found.metrics.trust = Trust.ABSENT
    assert await reading.past(resource, now=START) is None


async def test_pods_of_another_target_are_not_ours() -> None:
    found, reading, resource = busy()
    found.serve(100.0, name="other", pods=1)
    past = await reading.past(resource, now=START)
    assert past is not None
    assert np.nanmax(past.values[:, REQUESTS]) < 7.0


async def test_each_engine_is_asked_for_by_its_own_names_and_a_gateway_for_the_model_that_is_meant() -> None:
    found, reading, _ = busy()
    found.deploy("a", replicas=1, engine="sglang")
    found.deploy("b", replicas=1, engine="sglang")
    found.deploy("c", replicas=1, engine="dynamo", model="org/c", metrics={"gateway": "frontend"})
    resources = [entry.resource for entry in found.registry.entries() if entry.resource]
    series = await reading.queues(resources, now=START)
    assert sorted(lens.preset.engine for lens in series) == ["dynamo", "sglang", "vllm"]
    (dynamo,) = (asked for asked in found.metrics.asked if "dynamo" in asked)
    assert ',pod=~"frontend-.+",model=~"(?i:org/c)"' in dynamo


async def test_a_past_behind_a_gateway_is_read_from_the_gateways_pods() -> None:
    found, reading, _ = busy()
    found.deploy("c", replicas=1, engine="epp", metrics={"gateway": "c-epp"})
    resource = next(one.resource for one in found.registry.entries() if one.resource and one.resource.key.name == "c")
    await reading.past(resource, now=START)
    assert all('pod=~"c-epp-.+"' in asked for asked in found.metrics.asked)
    assert found.metrics.asked


async def test_an_engine_that_shows_nothing_is_told_with_what_has_to_be_switched_on() -> None:
    found = world()
    found.deploy(replicas=2, engine="sglang")
    await found.plan()
    condition = found.condition("MetricsAvailable")
    assert (condition["status"], condition["reason"]) == ("False", "MetricsAbsent")
    assert condition["message"] == (
        "no engine reports; start SGLang with --enable-metrics; check that the source scrapes the pods with labels "
        "namespace and pod; until then replicas may only rise"
    )


async def test_an_engine_that_shows_too_little_is_told_with_what_lacks_and_metrics_queries_as_the_way_out() -> None:
    found = world()
    found.deploy(replicas=2)
    found.serve(6.0, pods=2)
    for table in found.metrics.engines.values():
        del table["prompt_tokens"]
    await found.plan()
    condition = found.condition("MetricsAvailable")
    assert condition["status"] == "False"
    assert condition["message"] == (
        "the engines report, but without vllm:request_prompt_tokens_sum: demand cannot be told from throughput; name "
        "others in metrics.queries; until then replicas may only rise"
    )
