"""A metric source behind an authority and a token of its own, from the chart's values to an answered question."""

import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from engines import deployment, engines
from installed import Installed, autoscaler, conditions, operating

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.certificates import Authority

pytestmark = pytest.mark.bed


@dataclass
class Guarded:
    """The bed's Prometheus behind TLS; who does not bring the token is turned away."""

    address: str
    authority: Path
    token: str


@contextmanager
def guarded(bed: Bed, folder: Path) -> Iterator[Guarded]:
    authority = Authority("source-ca", folder)
    pair = authority.issue("prometheus", hosts=("127.0.0.1",))
    source = Guarded("", authority.certificate, "first")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known = self.headers.get("Authorization") == f"Bearer {source.token}"
            with urllib.request.urlopen(f"{bed.prometheus.url}{self.path}", data=body, timeout=5) as real:
                answer = real.read() if known else b"{}"
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    source.address = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield source
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def keep(bed: Bed, namespace: str, token: str) -> None:
    """The token as a Secret, anew."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "source"}, "stringData": {"token": token}}
    bed.apply(secret, namespace=namespace)


def test_a_private_authority_and_a_token_that_is_rotated(
    bed: Bed, installation: Callable[..., Installed], namespace: str, tmp_path: Path
) -> None:
    with guarded(bed, tmp_path / "pki") as source, engines(bed, namespace, rate=1.0):
        bed.kubectl("create", "configmap", "-n", namespace, "source-ca", f"--from-file=ca.crt={source.authority}")
        keep(bed, namespace, "first")
        values = {"address": source.address, "ca": {"configMap": "source-ca", "key": "ca.crt"}}
        installed = installation(sources__default=values | {"token": {"secret": "source", "key": "token"}})
        bed.apply(deployment(replicas=2), autoscaler(), namespace=namespace)
        with operating(installed) as running:
            running.until(lambda: available(bed, namespace)[0] == "True")
            source.token = "second"
            running.until(lambda: "answered 401" in available(bed, namespace)[1])
            keep(bed, namespace, "second")
            installed.mount()
            running.until(lambda: available(bed, namespace)[0] == "True")


def test_without_its_authority_a_source_is_not_believed(
    bed: Bed, installation: Callable[..., Installed], namespace: str, tmp_path: Path
) -> None:
    with guarded(bed, tmp_path / "pki") as source, engines(bed, namespace, rate=1.0):
        installed = installation(sources__default={"address": source.address})
        bed.apply(deployment(replicas=2), autoscaler(), namespace=namespace)
        with operating(installed) as running:
            running.until(lambda: available(bed, namespace)[0] == "False")
            assert "source default: unreachable (ClientConnectorCertificateError)" in available(bed, namespace)[1]


def available(bed: Bed, namespace: str) -> tuple[str, str]:
    """Status and message of the condition MetricsAvailable."""
    found = conditions(bed, namespace).get("MetricsAvailable", {})
    return found.get("status", ""), found.get("message", "")
