"""What each process of this room does alike: opening its sources, answering at an address, saying what a list lacks."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack

from aiohttp import web

from foretide.operator.prometheus import Prometheus
from foretide.operator.seams import ClusterError, MetricsSource
from foretide.operator.settings import SourceSettings


async def opened_sources(stack: AsyncExitStack, settings: Mapping[str, SourceSettings]) -> dict[str, MetricsSource]:
    """By name; closed with the stack."""
    return {name: await stack.enter_async_context(Prometheus(source)) for name, source in settings.items()}


async def answering(address: str, routes: Iterable[web.RouteDef]) -> web.AppRunner:
    """These routes at HOST:PORT; the caller cleans up."""
    app = web.Application()
    app.add_routes(routes)
    return await serving(address, app)


async def serving(address: str, app: web.Application) -> web.AppRunner:
    """An application at HOST:PORT; the caller cleans up."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, _, port = address.rpartition(":")
    await web.TCPSite(runner, host.strip("[]") or None, int(port)).start()
    return runner


def crd_hint(error: ClusterError) -> str:
    """What to do where resources could not be listed; empty where only trying again helps."""
    return "; the CRD is not there: run `foretide crd | kubectl apply -f -`" if error.status == 404 else ""
