"""A reverse proxy that misbehaves on request: between the operator and its API server, or its Prometheus.

One request per connection, answers passed on byte by byte as they come, so that watches stay watches. Which fault is
on is an attribute, switched by the test at run time; `be` drops what is open, so that a client meets the new fault at
once.
"""

import asyncio
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from foretide.cli.bed.processes import LOOPBACK

CHUNK = 65536
NEVER_FORWARDED = {"connection", "accept-encoding", "expect"}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    """With its query."""
    headers: dict[str, str]
    body: bytes

    @property
    def watches(self) -> bool:
        return "watch=" in self.path

    def head(self) -> bytes:
        kept = {name: value for name, value in self.headers.items() if name not in NEVER_FORWARDED}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{n}: {v}" for n, v in kept.items()), "connection: close"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class Seen:
    """One request that came by, at monotonic seconds; status 0 where nothing came back."""

    at: float
    request: Request
    status: int


@dataclass
class Exchange:
    """One request and the ways to deal with it."""

    request: Request
    shim: "Shim"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0

    async def upstream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(LOOPBACK, self.shim.upstream, ssl=self.shim.asking)
        writer.write(self.request.head() + self.request.body)
        return reader, writer

    async def forward(self, *, chunk: int = CHUNK, every_s: float = 0.0) -> None:
        """Passes the answer on; slowly where asked."""
        reader, writer = await self.upstream()
        try:
            while data := await reader.read(chunk):
                self._note(data)
                self.writer.write(data)
                await self.writer.drain()
                if every_s:
                    await asyncio.sleep(every_s)
        finally:
            writer.close()

    async def whole(self) -> tuple[int, bytes]:
        """Status and body of the true answer."""
        reader, writer = await self.upstream()
        try:
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        finally:
            writer.close()
        return int(head.split()[1]), _unchunked(body) if b"chunked" in head.lower() else body

    async def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        kind = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
        given = kind | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"HTTP/1.1 {status} Chaos", *(f"{name}: {value}" for name, value in given.items()), "", ""]
        self.status = status
        self.writer.write("\r\n".join(lines).encode() + body)
        await self.writer.drain()

    def _note(self, data: bytes) -> None:
        words = data.split(maxsplit=2)
        if not self.status and data.startswith(b"HTTP/1.") and len(words) > 1:
            self.status = int(words[1])


Behaviour = Callable[[Exchange], Awaitable[None]]
Rule = Callable[[Request], Behaviour | None]
"""What to do with a request; None passes it on."""


@dataclass
class Shim:
    """Use as a context manager; its own thread, so that a test may block."""

    upstream: int
    serving: ssl.SSLContext | None = None
    asking: ssl.SSLContext | None = None
    fault: Rule | None = None
    seen: list[Seen] = field(default_factory=list)
    port: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set["asyncio.Task[Any]"] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._meet, LOOPBACK, 0, ssl=self.serving))
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def be(self, fault: Rule | None) -> None:
        """From now on; also for those who are connected."""
        self.fault = fault
        self._call(self._cut())

    def asked(self, method: str, part: str, *, since: float = 0.0) -> list[Seen]:
        """Requests with `part` in their path, by the time they were dealt with."""
        return [
            one
            for one in list(self.seen)
            if one.request.method == method and part in one.request.path and one.at >= since
        ]

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    async def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        # Transports that were aborted close in the next turns of the loop.
        await asyncio.sleep(0.05)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            # A client that leaves in the middle is no event here.
            with suppress(OSError, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError):
                await self._deal(reader, writer)
        finally:
            self._tasks.discard(task)
            self._open.discard(writer)
            writer.close()

    async def _deal(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        exchange = Exchange(request, self, reader, writer)
        behaviour = self.fault(request) if self.fault else None
        try:
            await (behaviour(exchange) if behaviour else exchange.forward())
        finally:
            self.seen.append(Seen(time.monotonic(), request, exchange.status))


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Raises IncompleteReadError where the client leaves before it has asked."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    return Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + rest[:length], rest[length + 2 :]
        if not length:
            break
    return whole
