"""The web page in a real browser: nothing from elsewhere, nothing blocked, readable on a phone, honest when alone."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from browser.chromium import Tab, browser, tab
from page_shown import Shown, fleet, shown
from twins import resource

from foretide.operator.page.serve import page_app

PROGRAM = browser()
EVIL = "<img src=x onerror=\"document.title='taken'\">"
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="NO BROWSER: install Chromium (apt-get install chromium), the page was not seen by any"
)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Tab]:
    async with tab(str(PROGRAM), tmp_path / "profile") as one:
        yield one


@pytest.fixture
async def found() -> Shown:
    return await fleet(names=("llama",))


@pytest.fixture
async def server(found: Shown) -> AsyncIterator[TestServer]:
    async with TestServer(page_app(found.window)) as one:
        yield one


async def test_every_page_loads_whole_under_its_policy_and_asks_nobody_else(page: Tab, server: TestServer) -> None:
    for path in ("/", "/target/prod/llama", "/?q=llama"):
        await page.go(str(server.make_url(path)))
        assert await page.says("document.styleSheets[0].cssRules.length") > 10
        assert await page.says("typeof bring") == "function"
    assert page.complaints == []
    assert {address for address in page.asked if not address.startswith(str(server.make_url("/")))} <= {"about:blank"}


@pytest.mark.parametrize("path", ["/", "/target/prod/llama", "/target/prod/wrong"])
@pytest.mark.parametrize("width", [320, 390, 760, 1280])
async def test_nothing_runs_over_the_edge(page: Tab, server: TestServer, path: str, width: int) -> None:
    await page.size(width, 800)
    await page.go(str(server.make_url(path)))
    assert await page.says("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_words_stand_out_from_their_ground(page: Tab, server: TestServer, scheme: str) -> None:
    """WCAG AA: a contrast of 4.5 for text."""
    await page.scheme(scheme)
    await page.go(str(server.make_url("/")))
    for where in (".note, .age, footer p", "h1", "a", ".fleet .text", ".wrong strong", "small"):
        assert await page.says(CONTRAST % where) >= 4.5, where


async def test_a_screen_reader_finds_the_headings_the_table_and_the_chart(page: Tab, server: TestServer) -> None:
    await page.size(390, 800)
    await page.go(str(server.make_url("/")))
    roles = await _roles(page)
    assert {"heading", "table", "row", "cell", "search", "main"} <= set(roles)
    await page.go(str(server.make_url("/target/prod/llama")))
    roles = await _roles(page)
    assert "Demand of prod/llama, requests per second" in roles["image"]
    assert {"Forecast", "Risk", "Decisions"} <= set(roles["heading"])


async def test_what_users_name_is_never_run(page: Tab, server: TestServer, found: Shown) -> None:
    found.world.registry.see(resource("evil", model=EVIL) | {"status": {"history": [{"time": EVIL, "reason": EVIL}]}})
    for path in ("/", "/target/prod/evil"):
        await page.go(str(server.make_url(path)))
        assert await page.says("document.body.textContent.includes('onerror')")
        assert await page.says("document.images.length") == 0
        assert await page.says("document.title") != "taken"


async def test_ages_go_on_and_what_is_new_is_brought(page: Tab, server: TestServer, found: Shown) -> None:
    await page.go(str(server.make_url("/")))
    before = await page.says("document.querySelector('.age span').textContent")
    await page.until(f"document.querySelector('.age span').textContent !== {before!r}")
    found.world.deploy("newcomer", replicas=1)
    await page.says("bring()")
    assert await page.says("document.body.textContent.includes('prod/newcomer')")


async def test_an_operator_that_is_gone_is_told_and_the_page_stays(page: Tab, found: Shown) -> None:
    async with TestServer(page_app(found.window)) as server:
        await page.go(str(server.make_url("/")))
        assert await page.says("document.getElementById('lost').hidden")
    await page.says("bring()")
    assert "cannot be reached" in await page.says("document.getElementById('lost').textContent")
    assert await page.says("document.body.textContent.includes('prod/llama')")


async def test_an_empty_cluster_says_so(page: Tab) -> None:
    async with TestServer(page_app(shown().window)) as server:
        await page.go(str(server.make_url("/")))
        text = await page.says("document.getElementById('main').textContent")
    assert "No round has finished yet" in text
    assert "No InferenceAutoscaler exists yet" in text


async def _roles(page: Tab) -> dict[str, list[str]]:
    """Names by role, as assistive technology is told them."""
    found: dict[str, list[str]] = {}
    nodes: list[dict[str, Any]] = (await page.ask("Accessibility.getFullAXTree"))["nodes"]
    for node in nodes:
        if not node["ignored"]:
            found.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    return found


CONTRAST = """(() => {
  const parse = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = light(parse(getComputedStyle(document.body).backgroundColor));
  return Math.min(...[...document.querySelectorAll('%s')].map(each => {
    const ink = light(parse(getComputedStyle(each).color));
    return (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05);
  }));
})()"""
