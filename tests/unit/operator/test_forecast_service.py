"""A forecast service answers as the graph in the process would, and its client never waits nor raises anything else."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from graphs import artifact

from foretide.forecaster.network.card import Array, Refused
from foretide.forecaster.network.features import Arrays, window
from foretide.forecaster.network.schema import NODE, REPLICA
from foretide.forecaster.network.session import Session, opened
from foretide.forecaster.network.wire import packed_answer
from foretide.operator.forecast_client import PAUSE_S, RemoteHead
from foretide.operator.forecast_service import Service, serve
from foretide.operator.settings import ForecastSettings


@pytest.fixture
def session(tmp_path: Path) -> Session:
    artifact(tmp_path, REPLICA)
    return opened(tmp_path, "replica")


def windows(rows: int = 3) -> Arrays:
    values = np.random.default_rng(1).gamma(2.0, 3.0, (500, 3))
    return window(values, np.arange(500 - rows, 500) + 1, REPLICA, start_s=0.0).arrays


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@dataclass
class Monotonic:
    time: float = 0.0

    def __call__(self) -> float:
        return self.time


def head(url: str, *, timeout: float = 20.0, **changes: Any) -> RemoteHead:
    return RemoteHead(REPLICA, ForecastSettings(url=url, timeout_s=timeout), **changes)


async def asked(remote: RemoteHead, *, rows: int = 3, count: int = 8) -> Array:
    return await asyncio.to_thread(remote.drawn, windows(rows), seeds=range(rows), count=count)


async def refusal(remote: RemoteHead) -> str:
    with pytest.raises(Refused) as found:
        await asked(remote)
    return str(found.value)


async def test_the_service_answers_bit_for_bit_as_the_process_would(session: Session) -> None:
    async with listening(Service({"replica": session}).app()) as url:
        remote = head(url)
        there = await asked(remote)
    np.testing.assert_array_equal(there, session.drawn(windows(), seeds=range(3), count=8))
    assert remote.name == "by-hand"


async def test_about_and_health_can_be_read_by_people(session: Session) -> None:
    async with listening(Service({"replica": session}).app()) as url, aiohttp.ClientSession() as client:
        assert (await (await client.get(f"{url}/healthz")).text()) == "ok\n"
        about = await (await client.get(f"{url}/v1/about")).json()
    assert about["heads"]["replica"]["network"] == "by-hand"


async def test_a_service_that_is_gone_is_asked_again_only_after_a_pause(session: Session) -> None:
    clock = Monotonic()
    async with listening(Service({"replica": session}).app()) as url:
        remote = head(url, monotonic=clock)
        await asked(remote)
    assert await refusal(remote) == "forecast service: unreachable (ConnectionRefusedError)"
    clock.time += PAUSE_S / 2
    assert await refusal(remote) == "forecast service: unreachable (ConnectionRefusedError); left alone for 60 s"
    clock.time += PAUSE_S
    assert await refusal(remote) == "forecast service: unreachable (ConnectionRefusedError)"


async def test_a_service_that_does_not_answer_costs_its_deadline() -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/v1/about", never)])
    async with listening(app) as url:
        assert await refusal(head(url, timeout=0.2)) == "forecast service: did not answer in time"


async def test_a_service_of_another_schema_is_not_used(tmp_path: Path) -> None:
    artifact(tmp_path, NODE)
    node = opened(tmp_path, "node")
    async with listening(Service({"replica": node}).app()) as url:
        assert "has another wire format or schema" in await refusal(head(url))
    async with listening(Service({"node": node}).app()) as url:
        assert "does not serve head replica" in await refusal(head(url))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "has no header of this version"),
        (b"FTW1\xff\xff\xff\xff{}", "has no header of this version"),
        (packed_answer(np.zeros((1, 1, 1, 1), np.float32)), "paths: shape (1, 1, 1, 1) instead of (3, 8, 30, 3)"),
        (b"x" * 400_000, "answer is larger than"),
    ],
    ids=["empty", "torn", "other", "large"],
)
async def test_an_answer_of_another_kind_is_refused(session: Session, body: bytes, words: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async def about(request: web.Request) -> web.Response:
        return await Service({"replica": session})._about(request)

    app = web.Application()
    app.add_routes([web.get("/v1/about", about), web.post("/v1/paths/replica", answer)])
    async with listening(app) as url:
        assert words in await refusal(head(url))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("replica", b"nonsense", 400), ("other", b"", 404), ("replica", b"x" * (2**22 + 1), 413)],
    ids=["nonsense", "unknown head", "too large"],
)
async def test_nonsense_is_refused_with_a_status_and_the_service_lives_on(
    session: Session, path: str, body: bytes, status: int
) -> None:
    async with listening(Service({"replica": session}).app()) as url:
        async with aiohttp.ClientSession() as client:
            assert (await client.post(f"{url}/v1/paths/{path}", data=BytesIO(body))).status == status
        assert (await asked(head(url))).shape == (3, 8, 30, 3)


async def test_windows_that_the_graph_cannot_take_are_refused_with_its_words(session: Session) -> None:
    odd = {name: array[:, :1] for name, array in windows().items() if name == "recent"}
    async with listening(Service({"replica": session}).app()) as url:
        with pytest.raises(Refused, match=r"answered 400 \(arrays: by-hand: the graph fails to run"):
            await asyncio.to_thread(head(url).drawn, odd, seeds=range(3), count=8)
        with pytest.raises(Refused, match=r"answered 400 \(arrays: 'recent'"):
            await asyncio.to_thread(head(url).drawn, {"context": odd["recent"]}, seeds=range(3), count=8)


async def test_serve_listens_where_it_is_told(session: Session) -> None:
    runner = await serve({"replica": session}, host="127.0.0.1", port=0)
    try:
        host, port = runner.addresses[0][:2]
        assert host == "127.0.0.1"
        assert (await asked(head(f"http://{host}:{port}"), rows=5)).shape == (5, 8, 30, 3)
    finally:
        await runner.cleanup()


def test_a_serving_process_carries_no_libraries_of_decisions_and_evaluation() -> None:
    heavy = "scipy", "pandas", "pyarrow", "statsmodels", "kopf"
    code = f"import sys, foretide.operator.forecast_service; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
