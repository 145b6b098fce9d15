"""The page's routes: reads only, nothing from elsewhere, and only for a browser that asks for an allowed host."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from page_shown import Shown, fleet

from foretide.operator.page import serve
from foretide.operator.page.serve import STATIC, page_app

PATHS = ("/", "/?q=llama&page=2", "/target/prod/llama", "/api/fleet", "/api/target/prod/llama", *STATIC)


@pytest.fixture
async def found() -> Shown:
    return await fleet(names=("llama",))


@pytest.fixture
async def client(found: Shown) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(page_app(found.window, hosts=frozenset({"fleet.example.com"})))) as one:
        yield one


@pytest.mark.parametrize("path", [*PATHS, "/target/prod/nobody", "/nowhere"])
async def test_every_answer_carries_the_headers(client: TestClient, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "aiohttp" not in answer.headers["Server"]
        assert answer.status == (404 if "no" in Path(path).name else 200)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
async def test_nothing_can_be_written(client: TestClient, method: str, path: str) -> None:
    async with client.request(method, path) as answer:
        assert answer.status == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8083", 200), ("127.0.0.1", 200), ("[::1]:8083", 200), ("fleet.example.com", 200),
     ("FLEET.example.com:443", 200), ("evil.example.com", 403), ("localhost.evil.com", 403), ("10.0.0.7:8083", 403)],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/api/fleet", "/page.js", "/nowhere"])
async def test_a_foreign_host_is_refused_everywhere(client: TestClient, host: str, status: int, path: str) -> None:
    async with client.get(path, headers={"Host": host}) as answer:
        assert answer.status == (404 if path == "/nowhere" and status == 200 else status)


async def test_the_json_says_what_the_page_says(client: TestClient) -> None:
    async with client.get("/api/fleet?q=llama-8B") as answer:
        told = await answer.json()
    assert (told["version"], told["total"], told["found"]) == (1, 3, 1)
    (row,) = told["rows"]
    assert row["name"] == "llama"
    assert row["decided"]["counts"]["live"] == 2
    assert told["operator"]["leads"] is True
    async with client.get("/api/target/prod/llama") as answer:
        detail = (await answer.json())["target"]
    assert detail["row"]["name"] == "llama"
    assert None in detail["fan"]["past"]
    async with client.get("/api/target/prod/nobody") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("asked", ["page=", "page=x", "page=-1", "page=99999999999", "page=²", "q=" + "a" * 5000])
async def test_odd_questions_are_answered(client: TestClient, asked: str) -> None:
    async with client.get(f"/?{asked}") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", ["/target/..%2f..%2fetc/passwd", "/target/%3Cscript%3E/x", "/target/a%00b/c"])
async def test_odd_names_are_not_found_and_not_repeated_as_markup(client: TestClient, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 404
        assert "<script>" not in await answer.text()


def test_what_ships_loads_nothing_from_elsewhere_and_writes_no_markup() -> None:
    folder = Path(serve.__file__).parent
    texts = {path.name: path.read_text() for path in folder.iterdir() if path.suffix in {".js", ".css"}}
    assert set(texts) == {"page.js", "page.css"}
    assert not [name for name, text in texts.items() if re.search(r"https?://|url\(|@import|innerHTML|eval\(", text)]
