"""`forecast train` and `forecast fine-tune` from the command line to an artifact that a loader takes."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest
from twins import MetricsTwin, engine

from foretide.cli.main import run
from foretide.forecaster.network.session import opened

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.network import shipped  # noqa: E402

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # torch's exporter, inside torch
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SHIPPED = str(shipped.__path__[0])


def said(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        run(["forecast", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture
def file(tmp_path):
    rng, rows = np.random.default_rng(0), 700
    requests = rng.poisson(600 * (5.0 + 3.0 * np.sin(2 * np.pi * np.arange(rows) / 144))) / 600
    values = np.outer(requests, (1.0, 700.0, 150.0))
    at = pd.date_range("2026-01-01", periods=len(values), freq="10min").astype(str)
    frame = pd.DataFrame({"at": at, "requests": values[:, 0], "prompt_tokens": values[:, 1]})
    path = tmp_path / "demand.csv"
    frame.assign(output_tokens=values[:, 2]).to_csv(path, index=False)
    return path


def asked(file, out, *more):
    return ("train", "--series", str(file), "--time", "at", "--head", "node", "--out", str(out), *more)


def test_train_writes_a_network_that_is_served_and_says_so(file, tmp_path, capsys):
    out = tmp_path / "out"
    code, told, shown = said(capsys, *asked(file, out, "--steps", "20", "--batch", "32", "-o", "json"))
    assert code == 0
    assert [line.split(":")[0] for line in shown.splitlines()][-2:] == ["step 18 of 20", "step 20 of 20"]
    outcome = json.loads(told)
    assert outcome["after"] < outcome["before"]
    assert outcome["card"] == str(out / "node.json")
    card = opened(out, "node").card
    assert card.metrics["choice"] == outcome["after"]
    assert card.data[-1].name == "history of demand.csv"


def test_a_killed_run_goes_on_where_it_stopped(file, tmp_path, capsys):
    out, more = tmp_path / "out", ("--steps", "200", "--batch", "8")
    code = "import sys; from foretide.cli.main import run; run(['forecast', *sys.argv[1:]])"
    with subprocess.Popen([sys.executable, "-c", code, *asked(file, out, *more)]) as process:
        until = time.monotonic() + 300
        while not (out / "state" / "state.json").exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        process.kill()
    assert process.returncode == -9
    kept = json.loads((out / "state" / "state.json").read_text())["step"]
    assert kept < 200
    assert not (out / "node.json").exists()
    assert said(capsys, *asked(file, out, *more))[0] == 0
    assert json.loads((out / "state" / "state.json").read_text())["step"] == 200
    assert opened(out, "node").name == "node of demand.csv"


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (("--head", "day"), "foretide: --head: day: use one of replica, node\n"),
        (("--columns", "requests"), "foretide: --columns: requests: name three: requests, prompt and output tokens"),
        (("--time", "when"), "foretide: --time: when: the file has no such column; it has at, requests"),
        (("--from", "/nowhere"), "foretide: --from: /nowhere: /nowhere/node.json: cannot be read (No such file"),
        (("--head", "replica"), "foretide: --series: demand.csv: a grid of 600 s cannot be brought to one of 60 s"),
    ],
)
def test_what_cannot_be_trained_on_is_one_line(file, tmp_path, capsys, more, line):
    code, _, err = said(capsys, *asked(file, tmp_path / "out", *more))
    assert code == 2
    assert err.startswith(line)
    assert err.count("\n") == 1


def test_a_short_series_is_one_line_and_leaves_nothing(file, tmp_path, capsys):
    short = tmp_path / "short.csv"
    short.write_text("\n".join(file.read_text().splitlines()[:150]) + "\n")
    code, _, err = said(capsys, *asked(short, tmp_path / "out"))
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("foretide: --series: short.csv: 149 rows of 600 s hold ")
    assert not list((tmp_path / "out").iterdir())


@contextmanager
def prometheus(metrics: MetricsTwin) -> Iterator[str]:
    """The twin behind the HTTP API, on a port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            start, end, step = (float(form[name][0]) for name in ("start", "end", "step"))
            scrape = asyncio.run(metrics.query_range(form["query"][0], start=start, end=end, step=step))
            found = [
                {"metric": dict(one.labels), "values": [[t, f"{v:g}"] for t, v in zip(one.at, one.values, strict=True)]}
                for one in scrape.series
            ]
            body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": found}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def tuned(capsys, address, base, out, *more):
    given = ("--prometheus", address, "--target", "prod/llama", "--base", str(base), "--out", str(out))
    return said(capsys, "fine-tune", *given, "--days", "1", "--steps", "10", *more)


@pytest.fixture
def address():
    now = time.time() // 60 * 60
    metrics = MetricsTwin()
    metrics.engines["prod", "llama-0"] = engine(rate=7.0, start=now - 86400.0, end=now + 60.0)
    with prometheus(metrics) as found:
        yield found


def test_fine_tuning_reads_prometheus_and_publishes_what_a_loader_takes(address, tmp_path, capsys):
    out = tmp_path / "out"
    code, told, err = tuned(capsys, address, SHIPPED, out)
    assert (code, err) == (0, "")
    assert told.endswith(f"published in {out}\n")
    card = opened(out, "replica").card
    assert card.name == "replica of prod/llama"
    assert card.metrics["choice"] < card.metrics["choice_before"]
    assert sorted(path.name for path in out.iterdir()) == [
        "prod-llama.csv",
        "replica.json",
        "replica.onnx",
        "replica.safetensors",
    ]
    rows = pd.read_csv(out / "prod-llama.csv")
    np.testing.assert_allclose(rows.requests.median(), 7.0, rtol=0.02)


def copied(folder, *, head="replica"):
    folder.mkdir()
    for suffix in ("json", "onnx", "safetensors"):
        (folder / f"{head}.{suffix}").write_bytes(Path(SHIPPED, f"{head}.{suffix}").read_bytes())
    return folder


def test_a_base_that_is_not_what_its_card_says_is_refused_in_one_line(address, tmp_path, capsys):
    base = copied(tmp_path / "hash")
    (base / "replica.safetensors").write_bytes(b"other weights")
    code, _, err = tuned(capsys, address, base, tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"foretide: --base: {base}: {base}/replica.safetensors: hashes to ")
    base = copied(tmp_path / "schema")
    fields = json.loads((base / "replica.json").read_text())
    fields["fields"]["horizon"] = 31
    (base / "replica.json").write_text(json.dumps(fields))
    code, _, err = tuned(capsys, address, base, tmp_path / "out")
    assert code == 2
    assert "schema_sha256: the schema hashes to" in err
    assert not list((tmp_path / "out").glob("replica.*"))
