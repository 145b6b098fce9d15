"""A Prometheus that misbehaves in every way we know of: never an exception, never a number out of nothing."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from foretide.operator import prometheus
from foretide.operator.prometheus import Prometheus
from foretide.operator.seams import Scrape
from foretide.operator.settings import SourceSettings
from foretide.policies.flow import Trust

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes([web.post("/api/v1/query", answer), web.post("/api/v1/query_range", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def asked(answer: Answer, **settings: Any) -> Scrape:
    async with served(answer) as address, Prometheus(SourceSettings("default", address, **settings)) as source:
        return await source.query("up[1m]", at=1000.0)


def says(content: Any, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        body = content if isinstance(content, str) else json.dumps(content)
        return web.Response(text=body, status=status, content_type="application/json")

    return answer


def matrix(*series: Any, **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}} | more


UP = {"metric": {"__name__": "up"}, "values": [[990.5, "1"], [1000, "NaN"]]}


async def test_a_matrix_becomes_series_with_their_own_timestamps() -> None:
    scrape = await asked(says(matrix(UP)))
    assert scrape.trust is Trust.FRESH
    np.testing.assert_allclose(scrape.series[0].at, [990.5, 1000.0])
    np.testing.assert_array_equal(scrape.series[0].values, [1.0, np.nan])
    assert scrape.series[0].metric == "up"


async def test_an_empty_result_is_an_answer_without_series() -> None:
    scrape = await asked(says(matrix()))
    assert (scrape.trust, scrape.series) == (Trust.FRESH, ())


async def test_warnings_make_an_answer_partial() -> None:
    scrape = await asked(says(matrix(UP, warnings=["store is down"])))
    assert scrape.trust is Trust.PARTIAL
    assert "store is down" not in scrape.why, "what a source says is not repeated in a status"


@pytest.mark.parametrize(
    ("offset", "trust", "words"),
    [
        (600, Trust.PARTIAL, "s ahead of ours; set both by NTP"),
        (-600, Trust.PARTIAL, "s behind ours"),
        (30, Trust.FRESH, ""),
        (None, Trust.FRESH, ""),
    ],
)
async def test_a_source_whose_clock_is_off_is_trusted_in_part(offset: int | None, trust: Trust, words: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        date = "yesterday" if offset is None else formatdate(time.time() + offset, usegmt=True)
        return web.json_response(matrix(UP), headers={"Date": date})

    scrape = await asked(answer)
    assert (scrape.trust, len(scrape.series)) == (trust, 1)
    assert words in scrape.why


@pytest.mark.parametrize(
    "content",
    [
        {"status": "error", "error": "secret"},
        "<html>proxy</html>",
        "[1, 2",
        "null",
        [],
        "[" * 100_000,
        {"status": "success"},
        {"status": "success", "data": {"resultType": "vector", "result": []}},
        matrix(3),
        matrix({"metric": {"a": 1}, "values": []}),
        matrix({"metric": {}, "values": None}),
        matrix({"metric": {}, "values": [[1, 2]]}),
        matrix({"metric": {}, "values": [["x", "1"]]}),
        matrix({"metric": {}, "values": [[10**400, "1"]]}),
        matrix({"metric": {}, "values": [[1, "much"]]}),
        matrix({"metric": {}, "values": [[1]]}),
        matrix({"metric": {}, "histograms": []}),
    ],
)
async def test_any_other_shape_is_invalid_and_is_not_repeated(content: Any) -> None:
    scrape = await asked(says(content))
    assert (scrape.trust, scrape.series) == (Trust.INVALID, ())
    assert scrape.why.startswith("source default: ")
    assert "secret" not in scrape.why
    assert "\n" not in scrape.why


@pytest.mark.parametrize("status", [302, 400, 401, 403, 422, 500, 503])
async def test_any_other_status_is_invalid(status: int) -> None:
    scrape = await asked(says(matrix(UP), status))
    assert scrape.trust is Trust.INVALID
    assert str(status) in scrape.why


async def test_a_redirect_is_not_followed() -> None:
    followed = []

    async def answer(request: web.Request) -> web.Response:
        followed.append(request.path)
        return web.Response(status=307, headers={"Location": "/api/v1/query_range"})

    assert (await asked(answer)).trust is Trust.INVALID
    assert followed == ["/api/v1/query"]


async def test_an_answer_without_end_is_cut() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b" " * 4096)
        return response

    scrape = await asked(answer, max_body=4096)
    assert scrape.trust is Trust.INVALID
    assert "larger than 4096 bytes" in scrape.why


async def test_a_source_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    monkeypatch.setattr(prometheus, "TIMEOUT", aiohttp.ClientTimeout(total=0.2))

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    assert (await asked(answer)).trust is Trust.ABSENT


async def test_nobody_there_is_absent_and_names_the_fix() -> None:
    async with Prometheus(SourceSettings("default", "http://127.0.0.1:1")) as source:
        scrape = await source.query_range("up", start=0.0, end=1.0, step=1.0)
    assert scrape.trust is Trust.ABSENT
    assert scrape.why == "source default: unreachable (ClientConnectorError); check its address"


async def test_the_token_is_read_from_its_file_at_each_question(tmp_path: Path) -> None:
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.json_response(matrix())

    token = tmp_path / "token"
    async with (
        served(answer) as address,
        Prometheus(SourceSettings("default", address, token_file=token)) as source,
    ):
        token.write_text("one\n")
        await source.query("up[1m]", at=1.0)
        token.write_text("two\n")
        await source.query("up[1m]", at=1.0)
        token.unlink()
        lost = await source.query("up[1m]", at=1.0)
    assert seen == ["Bearer one", "Bearer two"]
    assert lost.trust is Trust.ABSENT
    assert "token file" in lost.why
