"""The shim in front of a real server: honest while nothing is asked of it, and broken as told."""

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from chaos.behaviours import answers, doing, drips, half_of_the_pods, hangs, part, resets, rewrites, shifted, valued
from chaos.shim import Shim

SERIES = [{"metric": {"pod": name}, "values": [[1.0, "3"]]} for name in ("a", "b", "c")]
BODY = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": SERIES}}).encode()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(BODY if self.path == "/query" else asked)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def shim() -> Iterator[Shim]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with Shim(int(server.server_address[1])) as made:
        yield made
    server.shutdown()
    server.server_close()
    thread.join()


def post(shim: Shim, path: str = "/query", body: bytes = b"x" * 100, timeout: float = 5.0) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", shim.port, timeout=timeout)
    try:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_without_a_fault_everything_passes(shim: Shim) -> None:
    assert post(shim, "/echo", b"hello") == (200, b"hello")
    assert [(one.request.path, one.status) for one in shim.asked("POST", "/echo")] == [("/echo", 200)]


def test_a_fault_meets_the_requests_it_is_for_and_no_other_and_ends(shim: Shim) -> None:
    shim.be(doing(answers(429, retry_after="5"), to=part("/query")))
    assert post(shim)[0] == 429
    assert post(shim, "/echo")[0] == 200
    shim.be(None)
    assert post(shim) == (200, BODY)


def test_a_half_open_server_never_answers_until_it_is_cut(shim: Shim) -> None:
    shim.be(doing(hangs))
    with pytest.raises(TimeoutError):
        post(shim, timeout=0.3)


def test_a_reset_is_a_reset(shim: Shim) -> None:
    shim.be(doing(resets))
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        post(shim)


def test_a_drip_is_whole_in_the_end(shim: Shim) -> None:
    shim.be(doing(drips(every_s=0.001, chunk=7)))
    assert post(shim) == (200, BODY)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (half_of_the_pods, [SERIES[0], SERIES[2]]),
        (valued("NaN"), [one | {"values": [[1.0, "NaN"]]} for one in SERIES]),
        (shifted(-3600.0), [one | {"values": [[-3599.0, "3"]]} for one in SERIES]),
    ],
)
def test_true_answers_are_changed_as_told(shim: Shim, change: object, expected: object) -> None:
    shim.be(doing(rewrites(change)))  # type: ignore[arg-type]
    status, body = post(shim)
    assert (status, json.loads(body)["data"]["result"]) == (200, expected)
