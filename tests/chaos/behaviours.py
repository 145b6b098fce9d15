"""What a broken server does with a request, and to which requests it does it."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from chaos.shim import Behaviour, Exchange, Request, Rule

HUGE = 64 * 2**20
HTML = b"<html><body><h1>Please sign in to the proxy</h1></body></html>"
GARBAGE = b'{"kind":"List","items":[{"metadata":{"na\x00\xff\xfe'
Matching = Callable[[Request], bool]
Matrix = list[dict[str, Any]]


def everything(request: Request) -> bool:
    return True


def part(*words: str, method: str = "", watches: bool | None = None) -> Matching:
    """Requests whose path has one of the words."""

    def matches(request: Request) -> bool:
        fits = any(word in request.path for word in words) and method in ("", request.method)
        return fits and watches in (None, request.watches)

    return matches


def doing(behaviour: Behaviour, *, to: Matching = everything) -> Rule:
    return lambda request: behaviour if to(request) else None


def first_matching(*rules: Rule) -> Rule:
    return lambda request: next((found for rule in rules if (found := rule(request))), None)


def answers(status: int, body: bytes | None = None, **headers: str) -> Behaviour:
    """The same answer always; by default the kind of body that the API server sends with this status."""
    usual = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "chaos", "code": status}

    async def behave(exchange: Exchange) -> None:
        await exchange.answer(status, json.dumps(usual).encode() if body is None else body, **headers)

    return behave


def delays(seconds: float) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await exchange.forward()

    return behave


def drips(*, every_s: float = 0.5, chunk: int = 16) -> Behaviour:
    """The true answer, some bytes at a time."""

    async def behave(exchange: Exchange) -> None:
        await exchange.forward(chunk=chunk, every_s=every_s)

    return behave


async def hangs(exchange: Exchange) -> None:
    """Accepts and never answers."""
    await asyncio.Event().wait()


async def resets(exchange: Exchange) -> None:
    """Ends the connection with a RST instead of an answer."""
    connection: socket.socket = exchange.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.writer.transport.abort()


async def floods(exchange: Exchange) -> None:
    """A body far above every limit, which says so only by coming."""
    exchange.writer.write(b"HTTP/1.1 200 Chaos\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n[")
    for _ in range(HUGE // 65536):
        exchange.writer.write(b" " * 65536)
        await exchange.writer.drain()


def watch_says(line: bytes) -> Behaviour:
    """A watch that opens well, says one line and stays open."""

    async def behave(exchange: Exchange) -> None:
        exchange.status = 200
        head = b"HTTP/1.1 200 Chaos\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
        exchange.writer.write(head + line + b"\n")
        await exchange.writer.drain()
        await asyncio.Event().wait()

    return behave


def error_event(code: int) -> bytes:
    """What the API server says in a watch that it cannot go on with."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "chaos", "code": code}
    return json.dumps({"type": "ERROR", "object": status}).encode()


def rewrites(change: Callable[[Matrix], Matrix]) -> Behaviour:
    """The true answer of Prometheus with its series changed."""

    async def behave(exchange: Exchange) -> None:
        status, body = await exchange.whole()
        content = json.loads(body)
        if status == 200:
            content["data"]["result"] = change(content["data"]["result"])
        await exchange.answer(status, json.dumps(content).encode())

    return behave


def nothing(series: Matrix) -> Matrix:
    return []


def half_of_the_pods(series: Matrix) -> Matrix:
    pods = sorted({one["metric"].get("pod", "") for one in series})
    return [one for one in series if one["metric"].get("pod", "") in pods[::2]]


def valued(value: str) -> Callable[[Matrix], Matrix]:
    """Every sample has this value."""
    return lambda series: [one | {"values": [[at, value] for at, _ in one["values"]]} for one in series]


def shifted(seconds: float) -> Callable[[Matrix], Matrix]:
    """Every sample has another time."""
    return lambda series: [one | {"values": [[at + seconds, value] for at, value in one["values"]]} for one in series]


class Frozen:
    """Says for ever what was true when it was made: a cache in front of Prometheus that has stopped."""

    def __init__(self) -> None:
        self._at = time.time()

    def __call__(self, series: Matrix) -> Matrix:
        old = [one | {"values": [row for row in one["values"] if row[0] <= self._at]} for one in series]
        return [one for one in old if one["values"]]
