"""Simulated engines sleep and wake as vLLM's endpoints say, asked by the operator's own client."""

from dataclasses import dataclass

from aiohttp import web
from aiohttp.test_utils import TestServer
from twins import pod

from foretide.cli.bed.twin_sleep import Sleepers
from foretide.operator.engine_sleep import VllmSleep
from foretide.operator.pods import replicas

REPLICA = replicas([pod("llama-0")])[0]


@dataclass
class Time:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def test_an_engine_sleeps_until_it_was_called_and_its_wake_is_over() -> None:
    time = Time()
    sleepers = Sleepers(wake_s=2.0, clock=time)
    app = web.Application()
    app.router.add_routes(sleepers.routes())
    started = TestServer(app)
    await started.start_server()
    engine, where = VllmSleep(f"http://127.0.0.1:{started.port}/pods/{{pod}}"), {"namespace": "prod", "port": 8000}
    assert not await engine.is_sleeping(REPLICA, **where)
    await engine.sleep(REPLICA, **where)
    time.now = 100.0
    assert await engine.is_sleeping(REPLICA, **where)
    await engine.wake(REPLICA, **where)
    time.now = 101.9
    await engine.wake(REPLICA, **where)
    assert sleepers.sleeps("llama-0"), "a second call does not make it wake sooner, nor later"
    time.now = 102.0
    assert not await engine.is_sleeping(REPLICA, **where)
    await started.close()
