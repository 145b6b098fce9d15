"""A limit behind an HTTP admin endpoint: read, written, and believed only once it reads back.

5 s for each request, a bounded body, no redirects, no proxies from the environment. A request without an answer is
tried again, `TRIES` times in all; before a write is repeated the endpoint is asked what came of the one before. A
number that was taken and does not read back is put back, and its owner is told.

What is NOT promised: that nobody writes between our read and our write. Where the endpoint gives an ETag it is sent as
If-Match; where it does not, the last writer wins, and the next window finds out.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from foretide.operator.credentials import Credentials
from foretide.operator.seams import Key
from foretide.operator.tuner.dialling import GuardedResolver
from foretide.operator.tuner.endpoint import MAX_BODY, EndpointSettings, offered
from foretide.operator.tuner.knob import Refusal, read
from foretide.operator.tuner.told import STOPPED, UNANSWERED, UNVERIFIED, WAITING, Still
from foretide.operator.tuner.written import Endpoint
from foretide.operator.wire import TooLarge, bounded_body, parsed

TIMEOUT = aiohttp.ClientTimeout(total=5, connect=2)
TRIES = 3
PAUSES_S = (0.5, 2.0)
"""Before the second and the third try."""
WHERE = "spec.concurrency.knob.endpoint"
REFUSED = {
    401: ("KnobForbidden", "refuses the tuner; its token has to be right"),
    403: ("KnobForbidden", "refuses the tuner; its token has to be right"),
    404: ("KnobNotFound", "knows nothing at its address; the admin has to correct it"),
}


@dataclass(frozen=True, slots=True)
class Held:
    """A number as an endpoint told it."""

    value: int
    body: Mapping[str, Any]
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Any
    etag: str | None


@dataclass(frozen=True, slots=True)
class _Silent:
    """No answer, in a few words without an address."""

    why: str


class Broken(aiohttp.ClientError):
    """A connection that ended before an answer came."""


async def _not_repeated(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """The library repeats a PUT by itself after a broken connection; here every try is ours, with a look before it."""
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Broken(str(error)) from error


class Endpoints:
    """All that the admin allows. Use as an async context manager; `sleep` is for tests."""

    def __init__(
        self, allowed: Mapping[str, EndpointSettings], *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._allowed, self._sleep = allowed, sleep
        self._stack = AsyncExitStack()
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        for name, one in self._allowed.items():
            tls = Credentials(one.address, ca_file=one.ca_file).ssl_context()
            connector = aiohttp.TCPConnector(ssl=tls, limit=4, resolver=GuardedResolver())
            session = aiohttp.ClientSession(
                connector=connector, timeout=TIMEOUT, trust_env=False, middlewares=(_not_repeated,)
            )
            self._sessions[name] = await self._stack.enter_async_context(session)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def number(self, key: Key, endpoint: Endpoint) -> Held | Still:
        """The number now, or why it cannot be known."""
        settings = self._settings(key, endpoint)
        return settings if isinstance(settings, Still) else await self._read(key, settings)

    async def put(self, key: Key, endpoint: Endpoint, now: Held, value: int) -> Still | None:
        """None once the endpoint reads `value`; else why not, and then it holds what it held, as far as we could."""
        settings = self._settings(key, endpoint)
        if isinstance(settings, Still):
            return settings
        sent = await self._written(key, settings, now, value)
        return await self._verified(key, settings, now, value) if sent is None else sent

    def _settings(self, key: Key, endpoint: Endpoint) -> EndpointSettings | Still:
        found = self._allowed.get(endpoint.name)
        if found is None or not found.is_open_to(key.namespace):
            told = offered(self._allowed.values(), key.namespace)
            return Still(STOPPED, "KnobForbidden", f"{WHERE}: {endpoint.name!r} is not allowed here; {told}")
        return found

    async def _read(self, key: Key, settings: EndpointSettings) -> Held | Still:
        where, why = f"{WHERE}: {settings.name}", ""
        for turn in range(TRIES):
            await self._pause(turn)
            answer = await self._ask("GET", key, settings)
            if isinstance(answer, _Answer) and answer.status < 500:
                return _held(answer, settings, where)
            why = answer.why if isinstance(answer, _Silent) else f"answers {answer.status}"
        return Still(WAITING, "EndpointUnreachable", f"{where}: {why}")

    async def _written(self, key: Key, settings: EndpointSettings, now: Held, value: int) -> Still | None:
        """None once a write was answered well, or a look shows that it was done."""
        where, why = f"{WHERE}: {settings.name}", ""
        for turn in range(TRIES):
            if turn:
                await self._pause(turn)
                seen = await self._read(key, settings)
                if not isinstance(seen, Held):
                    break
                if seen.value == value:
                    return None
                if seen.value != now.value:
                    return _moved(where)
                now = seen
            answer = await self._ask(settings.method, key, settings, body=settings.message(now.body, value), now=now)
            if isinstance(answer, _Answer) and answer.status < 500:
                return _refused(answer, where, value)
            why = answer.why if isinstance(answer, _Silent) else f"answers {answer.status}"
        return Still(WAITING, UNANSWERED, f"{where}: writing {value}: {why}")

    async def _verified(self, key: Key, settings: EndpointSettings, before: Held, value: int) -> Still | None:
        seen: Held | Still | None = None
        for turn in range(TRIES):
            await self._pause(turn)
            seen = await self._read(key, settings)
            if isinstance(seen, Held) and seen.value == value:
                return None
        where = f"{WHERE}: {settings.name}"
        if not isinstance(seen, Held):
            return Still(WAITING, UNANSWERED, f"{where}: took {value}, and does not tell what it holds now")
        back = await self._put_back(key, settings, seen, before.value)
        return Still(STOPPED, UNVERIFIED, f"{where}: took {value} and holds {seen.value}; {back}; correct the endpoint")

    async def _put_back(self, key: Key, settings: EndpointSettings, seen: Held, value: int) -> str:
        if seen.value != value:
            failed = await self._written(key, settings, seen, value)
            again = await self._read(key, settings) if failed is None else failed
            if not isinstance(again, Held) or again.value != value:
                return f"{value} could not be put back"
        return f"{value} is in force again"

    async def _pause(self, turn: int) -> None:
        if turn:
            await self._sleep(PAUSES_S[turn - 1])

    async def _ask(
        self, method: str, key: Key, settings: EndpointSettings, *, body: Any = None, now: Held | None = None
    ) -> _Answer | _Silent:
        headers = {"Accept": "application/json"}
        if now is not None and now.etag:
            headers["If-Match"] = now.etag
        data = None
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
            data = json.dumps(body)
        try:
            if settings.token_file is not None:
                headers["Authorization"] = f"Bearer {settings.token_file.read_text(encoding='utf-8').strip()}"
            asked = self._sessions[settings.name].request(
                method, settings.url(key), data=data, headers=headers, allow_redirects=False
            )
            async with asked as response:
                found = parsed(await bounded_body(response, MAX_BODY))
                return _Answer(response.status, found, response.headers.get("ETag"))
        except TooLarge:
            return _Silent(f"its answer is larger than {MAX_BODY} bytes")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return _Silent(f"does not answer ({type(error).__name__})")


def _held(answer: _Answer, settings: EndpointSettings, where: str) -> Held | Still:
    if answer.status in REFUSED:
        reason, fix = REFUSED[answer.status]
        return Still(STOPPED, reason, f"{where}: {fix}")
    if answer.status != 200 or not isinstance(answer.body, dict):
        return Still(STOPPED, "BadKnob", f"{where}: answers {answer.status}, and no JSON object with {settings.field}")
    found = read(answer.body, settings.path)
    if isinstance(found, Refusal):
        return Still(STOPPED, "BadKnob", f"{where}: {found.text}")
    return Held(found, answer.body, answer.etag)


def _refused(answer: _Answer, where: str, value: int) -> Still | None:
    if 200 <= answer.status < 300:
        return None
    if answer.status in (409, 412):
        return _moved(where)
    if answer.status in REFUSED:
        reason, fix = REFUSED[answer.status]
        return Still(STOPPED, reason, f"{where}: {fix}")
    return Still(STOPPED, "WriteRefused", f"{where}: writing {value}: answers {answer.status}")


def _moved(where: str) -> Still:
    return Still(WAITING, "Moved", f"{where}: changed since it was read; deciding again in the next window")
