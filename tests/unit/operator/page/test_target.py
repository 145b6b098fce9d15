"""The page of one target."""

from typing import Any

from page_shown import Shown, fleet, shown
from shell import LLAMA
from twins import resource

from foretide.operator.page.target import target_page
from foretide.operator.seams import Key


def page_of(found: Shown, key: Key = LLAMA) -> str:
    detail = found.window.detail(key)
    assert detail is not None
    return target_page(found.window.operator(), detail)


async def test_it_shows_the_fan_the_risk_and_the_decisions() -> None:
    page = page_of(await fleet())
    assert 'class="fan"' in page
    assert "P(promise breaks)" in page
    assert "Decisions since this operator began" in page
    assert "mostly from" in page


async def test_before_anything_was_decided_it_says_so() -> None:
    found = shown()
    found.world.deploy(replicas=1)
    page = page_of(found)
    assert "No demand was read yet." in page
    assert "None yet." in page
    assert "no decision yet" in page


async def test_a_spec_that_cannot_be_says_why() -> None:
    page = page_of(await fleet(), Key("prod", "wrong"))
    assert "InvalidSpec" in page
    assert "percentile" in page


async def test_what_others_wrote_into_the_status_is_text() -> None:
    found = shown()
    evil = "</ol><script>alert(1)</script>"
    status: dict[str, Any] = {"history": [{"time": evil, "from": 1, "to": 2, "reason": evil}]}
    found.world.registry.see(resource(model=evil) | {"status": status})
    page = page_of(found)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


async def test_in_a_mode_that_compares_the_scorecard_is_there_and_said_to_be_an_estimate() -> None:
    found = shown()
    found.world.deploy(replicas=3, mode="Recommend")
    found.world.serve(25.0, pods=3)
    for _ in range(15):
        await found.round(after=60.0)
    page = page_of(found)
    assert "Scorecard" in page
    assert "An estimate over" in page
