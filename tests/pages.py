"""Pages of metrics on loopback, and the list of them for Prometheus at /targets."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def pages(*, targets: Callable[[int], str], page: Callable[[str], str | None], missing: int = 404) -> Iterator[str]:
    """Where the list is, until the context ends. `targets` is told the port, `page` the path without its slashes; where
    it has nothing to say the answer is `missing`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listing = self.path == "/targets"
            found = targets(int(self.server.server_address[1])) if listing else page(self.path.strip("/"))
            self.send_response(200 if found else missing)
            self.send_header("Content-Type", "application/json" if listing else "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write((found or "").encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/targets"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
