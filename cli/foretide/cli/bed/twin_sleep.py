"""vLLM's sleep endpoints for simulated engines: /sleep, /wake_up and /is_sleeping below /pods/POD.

Promised: a sleeping engine serves nobody, and needs its time to wake. NOT promised: levels; every sleep is alike.
"""

from collections.abc import Callable

from aiohttp import web

Clock = Callable[[], float]


class Sleepers:
    """Which engines sleep, by pod. Times are seconds of `clock`."""

    def __init__(self, *, wake_s: float, clock: Clock) -> None:
        self._wake_s, self._clock = wake_s, clock
        self._until: dict[str, float] = {}
        """Pod -> when it is awake again; infinite until it is called."""

    def sleeps(self, pod: str) -> bool:
        return self._until.get(pod, 0.0) > self._clock()

    def sleep(self, pod: str) -> None:
        self._until[pod] = float("inf")

    def wake(self, pod: str) -> None:
        if self._until.get(pod) == float("inf"):
            self._until[pod] = self._clock() + self._wake_s

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/pods/{pod}/sleep", self._sleep),
            web.post("/pods/{pod}/wake_up", self._wake),
            web.get("/pods/{pod}/is_sleeping", self._is_sleeping),
        ]

    async def _sleep(self, request: web.Request) -> web.Response:
        self.sleep(request.match_info["pod"])
        return web.Response()

    async def _wake(self, request: web.Request) -> web.Response:
        self.wake(request.match_info["pod"])
        return web.Response()

    async def _is_sleeping(self, request: web.Request) -> web.Response:
        return web.json_response({"is_sleeping": self.sleeps(request.match_info["pod"])})
