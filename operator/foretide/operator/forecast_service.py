"""The network as a service of its own, for clusters with more targets than one process should forecast.

    GET  /v1/about         which heads, of which schema and network
    POST /v1/paths/HEAD    a question of wire.py in, its answer out
    GET  /healthz          ok

Stateless: windows and seeds in, normalised paths out. Demand, names and scores stay with whoever asks. Bodies are
bounded; more than `WAITING` questions at a time are refused rather than queued.

What is NOT promised: who may ask. That is the network policy's; the answer tells nothing that the question did not.
"""

import asyncio
from collections.abc import Mapping
from io import BytesIO

from aiohttp import web

from foretide.forecaster.network.card import Refused
from foretide.forecaster.network.schema import digest
from foretide.forecaster.network.session import Session
from foretide.forecaster.network.wire import (
    LARGEST_REQUEST,
    MAGIC,
    BadMessage,
    Question,
    packed_answer,
    read_question,
)

WAITING = 32
BINARY = "application/octet-stream"


class Service:
    """The handlers. One question at a time is computed; the graph has the core to itself."""

    def __init__(self, sessions: Mapping[str, Session]) -> None:
        self._sessions = sessions
        self._one = asyncio.Lock()
        self._waiting = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.add_routes(
            [
                web.get("/healthz", self._healthy),
                web.get("/v1/about", self._about),
                web.post("/v1/paths/{head}", self._paths),
            ]
        )
        return app

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _about(self, _: web.Request) -> web.Response:
        heads = {
            head: {"schema_sha256": digest(session.schema), "network": session.name}
            for head, session in self._sessions.items()
        }
        return web.json_response({"wire": MAGIC.decode(), "heads": heads})

    async def _paths(self, request: web.Request) -> web.Response:
        session = self._sessions.get(request.match_info["head"])
        if session is None:
            return _refusal(404, f"head: only {', '.join(self._sessions)} are served")
        if self._waiting >= WAITING:
            return _refusal(503, f"busy: {WAITING} questions wait already")
        try:
            question = read_question(await request.read())
        except BadMessage as error:
            return _refusal(400, str(error))
        if question.schema_sha256 != digest(session.schema):
            return _refusal(409, "schema_sha256: is not that of the network here; use one version on both sides")
        return await self._answered(session, question)

    async def _answered(self, session: Session, question: Question) -> web.Response:
        self._waiting += 1
        try:
            async with self._one:
                body = await asyncio.to_thread(_computed, session, question)
        except (Refused, KeyError) as error:
            return _refusal(400, f"arrays: {error}")
        finally:
            self._waiting -= 1
        return web.Response(body=BytesIO(body), content_type=BINARY)  # whole bytes of this size would hold the loop up


def _computed(session: Session, question: Question) -> bytes:
    return packed_answer(session.drawn(question.arrays, seeds=question.seeds, count=question.count))


def _refusal(status: int, line: str) -> web.Response:
    return web.Response(status=status, text=f"{' '.join(line.split())}\n")


async def serve(sessions: Mapping[str, Session], *, host: str, port: int) -> web.AppRunner:
    """The service, listening; the caller cleans the runner up."""
    runner = web.AppRunner(Service(sessions).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host or None, port).start()
    return runner
