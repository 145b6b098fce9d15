"""A limit behind a real HTTP server: read, written, read back; what goes wrong is told and leaves the old number."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tuned_world import BEST, World, tuned

from foretide.operator.seams import Key
from foretide.operator.tuner.endpoint import EndpointSettings
from foretide.operator.tuner.endpoints import TRIES, Endpoints, Held
from foretide.operator.tuner.told import Still
from foretide.operator.tuner.written import Endpoint
from foretide.policies.concurrency.in_time import FIRST, SETTLING

KEY, GATEWAY = Key("prod", "llama"), Endpoint("gateway")


@dataclass
class Admin:
    """A gateway's admin page. `answers` are statuses of the next requests by method; 0 hangs up without an answer."""

    state: dict[str, Any] = field(default_factory=lambda: {"limit": 100, "other": "kept"})
    answers: dict[str, list[int]] = field(default_factory=dict)
    takes: Callable[[int], int] = lambda value: value
    """What it makes of a number that is written."""
    late: bool = False
    """Whether it does what it is told although it then hangs up."""
    etag: bool = False
    asked: list[tuple[str, str, Any, dict[str, str]]] = field(default_factory=list)
    version: int = 1

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path, body, dict(request.headers)))
        status = self.answers.get(request.method, []).pop(0) if self.answers.get(request.method) else 200
        if request.method != "GET" and (status < 300 and (status or self.late)):
            if self.etag and request.headers.get("If-Match") != f'"{self.version}"':
                return web.Response(status=412)
            self.state = {**self.state, **body, "limit": self.takes(body["limit"])}
            self.version += 1
        if status == 0:
            assert request.transport is not None
            request.transport.close()
        headers = {"ETag": f'"{self.version}"'} if self.etag else {}
        location = {"Location": "http://elsewhere/"} if status == 302 else {}
        return web.json_response(self.state, status=status or 200, headers=headers | location)

    def methods(self) -> list[str]:
        return [method for method, *_ in self.asked]


@asynccontextmanager
async def serving(admin: Admin, **changes: Any) -> AsyncIterator[Endpoints]:
    """The client of an endpoint that `admin` answers on a port of this machine."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", admin.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    given = {"name": "gateway", "address": f"http://127.0.0.1:{port}/limits/{{namespace}}/{{name}}"} | changes

    async def at_once(_: float) -> None:
        """Tests do not wait."""

    try:
        async with Endpoints({"gateway": EndpointSettings(**given)}, sleep=at_once) as endpoints:
            yield endpoints
    finally:
        await runner.cleanup()


async def put(endpoints: Endpoints, value: int) -> Still | None:
    now = await endpoints.number(KEY, GATEWAY)
    assert isinstance(now, Held)
    return await endpoints.put(KEY, GATEWAY, now, value)


async def test_a_number_is_read_written_and_read_back() -> None:
    admin = Admin()
    async with serving(admin) as endpoints:
        assert await put(endpoints, 64) is None
    assert admin.state == {"limit": 64, "other": "kept"}
    assert admin.methods() == ["GET", "PUT", "GET"]
    assert admin.asked[1][1:3] == ("/limits/prod/llama", {"limit": 64, "other": "kept"})


async def test_a_token_is_read_anew_for_every_question(tmp_path: Path) -> None:
    admin, token = Admin(), tmp_path / "token"
    async with serving(admin, token_file=token) as endpoints:
        missing = await endpoints.number(KEY, GATEWAY)
        assert isinstance(missing, Still)
        assert "FileNotFoundError" in missing.message
        for word in ("one", "two"):
            token.write_text(f"{word}\n")
            assert isinstance(await endpoints.number(KEY, GATEWAY), Held)
    assert [headers["Authorization"] for *_, headers in admin.asked] == ["Bearer one", "Bearer two"]


async def test_a_write_without_an_answer_is_looked_at_before_it_is_repeated() -> None:
    admin = Admin(answers={"PUT": [0, 503]})
    async with serving(admin) as endpoints:
        assert await put(endpoints, 64) is None
    assert admin.state["limit"] == 64
    assert admin.methods() == ["GET", "PUT", "GET", "PUT", "GET", "PUT", "GET"]


async def test_a_write_that_was_done_without_an_answer_is_not_repeated() -> None:
    admin = Admin(answers={"PUT": [0]}, late=True)
    async with serving(admin) as endpoints:
        assert await put(endpoints, 64) is None
    assert admin.methods().count("PUT") == 1


async def test_tries_are_bounded_and_the_end_is_a_write_without_an_answer() -> None:
    admin = Admin(answers={"PUT": [500] * 9})
    async with serving(admin) as endpoints:
        failed = await put(endpoints, 64)
    assert failed == Still("Waiting", "WriteFailed", "spec.concurrency.knob.endpoint: gateway: writing 64: answers 500")
    assert admin.methods().count("PUT") == TRIES
    assert admin.state["limit"] == 100


async def test_who_writes_between_two_tries_wins() -> None:
    admin = Admin(answers={"PUT": [500]})
    async with serving(admin) as endpoints:
        now = await endpoints.number(KEY, GATEWAY)
        assert isinstance(now, Held)
        admin.state["limit"] = 128
        failed = await endpoints.put(KEY, GATEWAY, now, 64)
    assert failed is not None
    assert failed.reason == "Moved"
    assert admin.state["limit"] == 128


async def test_an_etag_keeps_a_write_from_going_over_another() -> None:
    admin = Admin(etag=True)
    async with serving(admin) as endpoints:
        now = await endpoints.number(KEY, GATEWAY)
        assert isinstance(now, Held)
        admin.version += 1
        failed = await endpoints.put(KEY, GATEWAY, now, 64)
        assert failed is not None
        assert failed.reason == "Moved"
        assert await put(endpoints, 64) is None
    assert admin.state["limit"] == 64


async def test_what_is_taken_and_not_held_is_put_back() -> None:
    admin = Admin(takes=lambda value: min(max(value, 80), 100))
    async with serving(admin) as endpoints:
        failed = await put(endpoints, 64)
    assert failed is not None
    assert (failed.state, failed.reason) == ("Stopped", "NotVerified")
    assert "took 64 and holds 80; 100 is in force again; correct the endpoint" in failed.message
    assert admin.state["limit"] == 100


async def test_what_cannot_be_put_back_is_told() -> None:
    admin = Admin(takes=lambda _: 80)
    async with serving(admin) as endpoints:
        failed = await put(endpoints, 64)
    assert failed is not None
    assert "took 64 and holds 80; 100 could not be put back" in failed.message


@pytest.mark.parametrize(
    ("answers", "state", "reason", "why"),
    [
        ([403], {}, "KnobForbidden", "refuses the tuner; its token has to be right"),
        ([404], {}, "KnobNotFound", "knows nothing at its address"),
        ([302], {"limit": 100}, "BadKnob", "answers 302, and no JSON object with limit"),
        ([500] * TRIES, {}, "EndpointUnreachable", "answers 500"),
        ([0] * TRIES, {}, "EndpointUnreachable", "does not answer (Broken)"),
        ([200], {"limits": 4}, "BadKnob", "limit: there is no limit; there are limits; correct the path"),
        ([200], {"limit": "many"}, "BadKnob", "limit holds 'many', not a whole number"),
        ([200] * TRIES, {"limit": 1, "rest": "x" * 70_000}, "EndpointUnreachable", "larger than 65536 bytes"),
    ],
)
async def test_what_cannot_be_read_is_told_in_one_line_without_an_address(
    answers: list[int], state: dict[str, Any], reason: str, why: str
) -> None:
    admin = Admin(state=state, answers={"GET": answers})
    async with serving(admin) as endpoints:
        found = await endpoints.number(KEY, GATEWAY)
    assert isinstance(found, Still)
    assert found.reason == reason
    assert found.message.startswith("spec.concurrency.knob.endpoint: gateway: ")
    assert why in found.message
    assert "127.0.0.1" not in found.message


async def test_what_the_admin_does_not_allow_is_not_asked() -> None:
    admin = Admin()
    async with serving(admin, namespaces=("prod",)) as endpoints:
        unknown = await endpoints.number(KEY, Endpoint("other"))
        foreign = await endpoints.number(Key("team-b", "llama"), GATEWAY)
    assert isinstance(unknown, Still)
    assert isinstance(foreign, Still)
    assert unknown.message == "spec.concurrency.knob.endpoint: 'other' is not allowed here; the admin offers: gateway"
    assert foreign.message.endswith("'gateway' is not allowed here; the admin offers none to this namespace")
    assert admin.asked == []


def world(admin: Admin, endpoints: Endpoints, **changes: Any) -> World:
    """The shipped turn over a limit behind the endpoint."""
    knob = {"endpoint": "gateway"}
    return World(
        body=tuned(knob=knob), objects={}, endpoints=endpoints, limit_of=lambda *_: admin.state["limit"], **changes
    )


async def test_a_turn_sets_the_rule_behind_an_endpoint_and_takes_a_loss_back() -> None:
    admin = Admin()
    async with serving(admin) as endpoints:
        found = world(admin, endpoints, share=lambda limit: 0.9 if limit == 100 else 0.6)
        await found.window(FIRST + SETTLING)
        assert (admin.state["limit"], found.told["limit"], found.told["reason"]) == (BEST, BEST, "OnTrial")
        await found.window()
    assert admin.state["limit"] == 100
    assert found.reasons == ["LimitChanged", "LimitRolledBack"]
    assert found.patches == []


async def test_an_endpoint_that_does_not_hold_a_number_is_left_alone_for_an_hour() -> None:
    admin = Admin(takes=lambda value: max(value, 80))
    async with serving(admin) as endpoints:
        found = world(admin, endpoints)
        await found.window(FIRST)
        assert (found.told["state"], found.told["reason"], found.told["limit"]) == ("Stopped", "NotVerified", 100)
        assert found.reasons == ["LimitNotVerified"]
        writes = admin.methods().count("PUT")
        await found.window(20)
    assert (admin.state["limit"], found.told["reason"]) == (100, "Resting")
    assert admin.methods().count("PUT") == writes
    assert found.reasons == ["LimitNotVerified"]


async def test_somebody_elses_number_behind_an_endpoint_is_a_conflict() -> None:
    admin = Admin()
    async with serving(admin) as endpoints:
        found = world(admin, endpoints)
        await found.window(FIRST)
        admin.state["limit"] = 128
        await found.window(3)
    assert (found.told["state"], found.told["reason"], admin.state["limit"]) == ("Stopped", "Conflict", 128)


async def test_who_does_not_lead_writes_nothing_behind_an_endpoint() -> None:
    admin = Admin()
    async with serving(admin) as endpoints:
        found = world(admin, endpoints, leads=False)
        await found.window(FIRST + 2)
    assert set(admin.methods()) == {"GET"}
