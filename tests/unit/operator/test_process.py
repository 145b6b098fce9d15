"""What the operator's and the tuner's process share."""

from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

from foretide.cli.bed.processes import free_port
from foretide.operator.process import answering, crd_hint, opened_sources
from foretide.operator.prometheus import Prometheus
from foretide.operator.seams import ClusterError
from foretide.operator.settings import SourceSettings


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
async def test_routes_answer_at_the_address_until_they_are_cleaned_up(host: str) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="here")

    port = free_port()
    runner = await answering(f"{host}:{port}", [web.get("/hello", hello)])
    url = f"http://127.0.0.1:{port}/hello"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as found:
            assert await found.text() == "here"
        await runner.cleanup()
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_sources_are_opened_by_name() -> None:
    settings = {name: SourceSettings(name=name, address="http://127.0.0.1:9") for name in ("one", "other")}
    async with AsyncExitStack() as stack:
        sources = await opened_sources(stack, settings)
        assert list(sources) == ["one", "other"]
        assert all(isinstance(source, Prometheus) for source in sources.values())


def test_only_a_missing_crd_is_answered_with_how_to_bring_it() -> None:
    assert "foretide crd | kubectl apply" in crd_hint(ClusterError("gone", status=404))
    assert crd_hint(ClusterError("busy", status=503)) == ""
