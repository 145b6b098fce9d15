"""A window from what engines told: counts of all pods, lengths, and why there is none."""

from dataclasses import replace
from typing import Any

import pytest
from tuned_world import SCRAPE_S, WINDOW_S, World

from foretide.operator.engines.vllm import VLLM
from foretide.operator.resource import Resource, parse
from foretide.operator.signals import pod_series
from foretide.operator.tuner.histograms import Lacking
from foretide.operator.tuner.sight import Scraped, Span, histogram_selector, window
from foretide.policies.concurrency.window import Window
from foretide.policies.flow import Trust

PODS = frozenset({"llama-0", "llama-1", "llama-2"})


def resource(world: World) -> Resource:
    found = parse(world.body).resource
    assert found is not None
    return found


async def scraped(world: World) -> tuple[Scraped, Span]:
    span = Span(world.now - WINDOW_S, world.now, SCRAPE_S)
    ask = f"[{round(1000 * span.query_s)}ms]"
    engines = pod_series(await world.query(f"up{ask}", at=span.end), preset=VLLM)
    return Scraped(engines, await world.query(f"x_bucket{ask}", at=span.end)), span


async def seen(world: World, windows: int = 3, pods: Any = PODS) -> Window | Lacking:
    for _ in range(windows):
        world._pass()
    found, span = await scraped(world)
    return window(found, resource=resource(world), pods=pods, limit=100, span=span)


async def test_all_pods_together_are_one_replica_that_lived_as_long_as_all_of_them() -> None:
    found = await seen(World(share=lambda _: 0.75))
    assert isinstance(found, Window)
    assert (found.seconds, found.gpus, found.limit) == (3 * WINDOW_S, 1, 100)
    assert (found.ended, found.good, found.refused) == (1200, 900, 0)
    assert (found.prompt_tokens, found.output_tokens, found.busy) == (4000.0, 200.0, 100.0)
    assert found.attainment == pytest.approx(0.75)


async def test_only_the_pods_asked_for_count() -> None:
    found = await seen(World(), pods={"llama-1"})
    assert isinstance(found, Window)
    assert (found.ended, found.seconds) == (400, WINDOW_S)


async def test_where_nothing_ended_lengths_and_attainment_are_unknown() -> None:
    found = await seen(World(requests=0))
    assert isinstance(found, Window)
    assert (found.ended, found.attainment) == (0, None)
    assert found.prompt_tokens != found.prompt_tokens


async def test_a_pod_that_began_within_the_window_or_fell_silent_makes_it_unknown() -> None:
    young = await seen(World(), windows=0)
    assert isinstance(young, Lacking)
    world = World()
    await seen(world)
    world.now += 4 * SCRAPE_S
    found, span = await scraped(world)
    late = window(found, resource=resource(world), pods=PODS, limit=100, span=span)
    assert isinstance(late, Lacking)
    assert late.text == "no fresh metrics of llama-0, llama-1, llama-2: is it scraped?"


async def test_without_pods_or_with_half_an_answer_there_is_no_window() -> None:
    assert await seen(World(), pods=()) == Lacking("no pod was ready for the whole window")
    world = World()
    await seen(world)
    found, span = await scraped(world)
    partial = replace(found, latencies=replace(found.latencies, trust=Trust.PARTIAL, why="warned"))
    assert window(partial, resource=resource(world), pods=PODS, limit=100, span=span) == Lacking("warned")


async def test_histograms_that_are_missing_are_named_by_the_promise() -> None:
    world = World()
    await seen(world)
    found, span = await scraped(world)
    blind = replace(found, latencies=replace(found.latencies, series=()))
    lacking = window(blind, resource=resource(world), pods=PODS, limit=100, span=span)
    assert lacking == Lacking("how many requests kept ttft 2s cannot be told from its histogram")


def test_only_histograms_of_the_promise_are_asked_for() -> None:
    asked = histogram_selector(resource(World()))
    assert "vllm[:_]time_to_first_token_seconds_bucket" in asked
    assert 'namespace=~"prod"' in asked
    assert "e2e" not in asked
