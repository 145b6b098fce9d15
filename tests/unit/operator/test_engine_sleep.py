"""vLLM's sleep endpoints over real sockets: what is asked, and that nothing odd gets through."""

from collections.abc import Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from twins import pod

from foretide.operator.engine_sleep import MAX_BODY, EngineError, VllmSleep
from foretide.operator.pods import Replica, replicas

REPLICA = replicas([pod("llama-0")])[0]


async def server(answer: Callable[[], web.Response], asked: list[str]) -> TestServer:
    async def handle(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path_qs}")
        return answer()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    started = TestServer(app)
    await started.start_server()
    return started


async def test_it_asks_what_vllm_offers_below_the_address_of_the_admin() -> None:
    asked: list[str] = []
    started = await server(lambda: web.json_response({"is_sleeping": True}), asked)
    engine = VllmSleep(f"http://127.0.0.1:{started.port}/{{namespace}}/{{pod}}")
    await engine.sleep(REPLICA, namespace="prod", port=8000)
    assert await engine.is_sleeping(REPLICA, namespace="prod", port=8000)
    await engine.wake(REPLICA, namespace="prod", port=8000)
    below = "/prod/llama-0"
    assert asked == [f"POST {below}/sleep?level=1", f"GET {below}/is_sleeping", f"POST {below}/wake_up"]
    await started.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: web.Response(status=500), "answered 500"),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "answered 302"),
        (lambda: web.Response(text="sleeping"), "no JSON"),
        (lambda: web.json_response({"is_sleeping": "yes"}), "has no is_sleeping"),
        (lambda: web.json_response([True]), "has no is_sleeping"),
        (web.Response, "has no is_sleeping"),
        (lambda: web.Response(body=b" " * (MAX_BODY + 1)), "TooLarge"),
    ],
)
async def test_any_other_answer_is_an_error_in_one_line(answer: Callable[[], web.Response], said: str) -> None:
    started = await server(answer, [])
    engine = VllmSleep(f"http://127.0.0.1:{started.port}")
    with pytest.raises(EngineError, match=said):
        await engine.is_sleeping(REPLICA, namespace="prod", port=8000)
    await started.close()


async def test_a_pod_without_an_address_and_one_that_nobody_answers_at_are_errors() -> None:
    with pytest.raises(EngineError, match="the pod has no address"):
        await VllmSleep("http://{ip}:{port}").wake(REPLICA, namespace="prod", port=8000)
    with pytest.raises(EngineError, match="ClientConnectorError"):
        await VllmSleep("http://127.0.0.1:{port}").wake(REPLICA, namespace="prod", port=1)


def test_a_replica_knows_its_address_from_its_pod() -> None:
    found = pod("llama-0")
    found["status"]["podIP"] = "10.0.0.7"
    assert isinstance(REPLICA, Replica)
    assert replicas([found])[0].ip == "10.0.0.7"
