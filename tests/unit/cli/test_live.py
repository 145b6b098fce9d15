"""`foretide validate --live`: what a Prometheus has, on a page or for a program, and the exit code for a script."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from exposed import PAGES, Told

from foretide.cli.main import run

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "inferenceautoscaler.yaml"


def matrix(page: str) -> bytes:
    """The pages of one pod as Prometheus answers them."""
    result, now = [], time.time()
    for line in PAGES[page](Told(100.0, 5.0)).splitlines():
        if not line.startswith("#"):
            metric, _, value = line.rpartition(" ")
            name, _, rest = metric.partition("{")
            labels = dict(pair.split("=", 1) for pair in rest.rstrip("}").split(",") if pair)
            told = {key: quoted.strip('"') for key, quoted in labels.items()}
            samples = [[now - age, value] for age in (18.0, 3.0)]
            where = {"__name__": name, "namespace": "default", "pod": "llama-0"}
            result.append({"metric": where | told, "values": samples})
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


@contextmanager
def prometheus(page: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(matrix(page))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def manifest(folder: Path, **spec: Any) -> Path:
    body = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    body["spec"] |= spec
    file = folder / "llama.yaml"
    file.write_text(yaml.safe_dump(body), encoding="utf-8")
    return file


def validate(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run(["validate", *map(str, arguments)])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def test_a_page_tells_every_signal_and_the_exit_code_is_0_where_demand_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with prometheus("sglang") as address:
        code, out, err = validate(capsys, "--live", manifest(tmp_path, engine="sglang"), "--prometheus", address)
    assert (code, err) == (0, "")
    head, columns, *rows = out.splitlines()
    assert head == "default/llama: engine sglang: demand can be read: 1 of 1 pods, newest sample 3 s old"
    assert columns.split() == ["SIGNAL", "METRIC", "SERIES", "NEWEST", "WITHOUT", "IT"]
    assert rows[0].split() == ["running", "sglang:num_running_reqs", "2", "3s"]
    assert any(row.startswith("rejected ") and "none" in row and "while queues stand" in row for row in rows)


def test_without_demand_the_exit_code_is_1_and_the_reason_is_in_the_first_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with prometheus("sglang") as address:
        code, out, _ = validate(capsys, "--live", manifest(tmp_path, engine="tgi"), "--prometheus", address)
    assert code == 1
    assert out.splitlines()[0].startswith(
        "default/llama: engine tgi: demand cannot be read: no engine of default/llama"
    )


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_program_gets_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, load: Any) -> None:
    with prometheus("trtllm") as address:
        file = manifest(tmp_path, engine="trtllm")
        code, out, _ = validate(capsys, "--live", file, "--prometheus", address, "-o", form)
    (told,) = load(out)
    assert (code, told["engine"], told["decides"]) == (0, "trtllm", True)
    finished = next(one for one in told["signals"] if one["signal"] == "finished")
    assert finished["metric"] == "trtllm_request_success_total"
    assert finished["series"] == 1
    assert finished["newestAgeSeconds"] < 15
    gaps = next(one for one in told["signals"] if one["signal"] == "tokenGapSeconds")
    assert (gaps["metric"], gaps["newestAgeSeconds"]) == (None, None)
    assert "speed is not learned" in gaps["without"]


def test_a_prometheus_that_does_not_answer_is_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = validate(capsys, "--live", EXAMPLE, "--prometheus", "http://127.0.0.1:9")
    assert code == 1
    assert "demand cannot be read: source default: unreachable" in out


def test_another_namespace_may_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with prometheus("sglang") as address:
        file = manifest(tmp_path, engine="sglang")
        code, out, _ = validate(capsys, "--live", file, "--prometheus", address, "-n", "prod")
    assert code == 1
    assert "no engine of prod/llama reports" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--live", EXAMPLE), "--prometheus: give --live and --prometheus together or neither"),
        ((EXAMPLE, "--prometheus", "http://x"), "give --live and --prometheus together or neither"),
        ((EXAMPLE, "-o", "json"), "--output: json: give it with --live only"),
        (("--live", EXAMPLE, "--prometheus", "x"), "write http(s)://HOST"),
        (("--live", EXAMPLE, "--prometheus", "http://x", "--scrape-interval", "9"), "--scrape-interval: 9: "),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...], words: str) -> None:
    code, _, err = validate(capsys, *arguments)
    assert code == 2
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_manifest_with_mistakes_is_not_looked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = validate(capsys, "--live", manifest(tmp_path, engine="epp"), "--prometheus", "http://127.0.0.1:9")
    assert (code, out) == (2, "")
    assert "spec.metrics.gateway: missing" in err
