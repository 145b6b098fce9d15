"""vLLM's sleep endpoints over HTTP: POST /sleep, POST /wake_up, GET /is_sleeping, with total timeouts.

vLLM serves them with `--enable-sleep-mode` and VLLM_SERVER_DEV_MODE=1 (vllm/entrypoints/serve/sleep/api_router.py of
0.14). The address comes from the pod and from the admin's setting, never from a resource.

What is NOT promised: that an engine does what it says. Whoever asks for sleep asks afterwards whether it came.
"""

import json
from typing import Any, Protocol

import aiohttp

from foretide.operator.pods import Replica
from foretide.operator.wire import TooLarge, bounded_body

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
MAX_BODY = 64 * 1024
LEVEL = 1
"""Weights go to the host's memory, and come back from there."""


class EngineError(Exception):
    """The engine did not do what it was asked, in one line without its body."""


class SleepApi(Protocol):
    """Every method may raise EngineError."""

    async def sleep(self, pod: Replica, *, namespace: str, port: int) -> None: ...
    async def wake(self, pod: Replica, *, namespace: str, port: int) -> None: ...
    async def is_sleeping(self, pod: Replica, *, namespace: str, port: int) -> bool: ...


class VllmSleep:
    """A SleepApi. `template` is the admin's, with {ip}, {port}, {pod} and {namespace}."""

    def __init__(self, template: str) -> None:
        self._template = template

    async def sleep(self, pod: Replica, *, namespace: str, port: int) -> None:
        await self._asked("POST", pod, namespace, port, f"/sleep?level={LEVEL}")

    async def wake(self, pod: Replica, *, namespace: str, port: int) -> None:
        await self._asked("POST", pod, namespace, port, "/wake_up")

    async def is_sleeping(self, pod: Replica, *, namespace: str, port: int) -> bool:
        answer = await self._asked("GET", pod, namespace, port, "/is_sleeping")
        found = answer.get("is_sleeping") if isinstance(answer, dict) else None
        if not isinstance(found, bool):
            raise EngineError("GET /is_sleeping: the answer has no is_sleeping")
        return found

    async def _asked(self, method: str, pod: Replica, namespace: str, port: int, path: str) -> Any:
        if not pod.ip and "{ip}" in self._template:
            raise EngineError(f"{method} {path}: the pod has no address")
        url = self._template.format(ip=pod.ip, port=port, pod=pod.name, namespace=namespace) + path
        told = f"{method} {path.partition('?')[0]}"
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False) as session,
                session.request(method, url, allow_redirects=False) as response,
            ):
                body = await bounded_body(response, MAX_BODY)
        except (TimeoutError, aiohttp.ClientError, TooLarge, OSError, ValueError) as error:
            raise EngineError(f"{told}: {type(error).__name__}") from error
        if response.status != 200:
            raise EngineError(f"{told}: answered {response.status}")
        try:
            return json.loads(body) if body else None
        except ValueError as error:
            raise EngineError(f"{told}: the answer is no JSON") from error
