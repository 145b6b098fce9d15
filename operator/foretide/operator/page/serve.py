"""The page as routes: reads only, for a browser on the admin's desk.

Nothing here writes, holds a secret or loads from elsewhere. A request that names another host than those allowed is
refused, so that no foreign page in the same browser can read it under a name of its own (DNS rebinding).

What is NOT promised: asking who it is. Bound to loopback, whoever may forward a port of the pod may read it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from foretide.operator.page.fleet import fleet_page
from foretide.operator.page.frame import document, message
from foretide.operator.page.target import target_page
from foretide.operator.page.view import Window
from foretide.operator.seams import Key

VERSION = 1
"""Of the JSON; it grows where a field changes its meaning."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
LONGEST_WORDS = 100
STATIC = {"/page.css": "text/css", "/page.js": "text/javascript", "/icon.svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "
    "'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Server": "foretide",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def page_app(window: Window, *, hosts: frozenset[str] = frozenset()) -> web.Application:
    """`hosts`: names under which the page may be asked for beside those of the loopback."""
    app = web.Application(middlewares=[_guard(LOOPBACK | hosts)], client_max_size=1024)
    app.on_response_prepare.append(_headed)
    pages = Pages(window)
    app.add_routes(
        [
            web.get("/", pages.fleet),
            web.get("/target/{namespace}/{name}", pages.target),
            web.get("/api/fleet", pages.fleet_json),
            web.get("/api/target/{namespace}/{name}", pages.target_json),
            *(web.get(path, _static(path, kind)) for path, kind in STATIC.items()),
        ]
    )
    return app


class Pages:
    """Each page, and the same as JSON."""

    def __init__(self, window: Window) -> None:
        self._window = window

    async def fleet(self, request: web.Request) -> web.Response:
        words, page = _asked(request)
        return _html(fleet_page(self._window.operator(), self._window.fleet(words=words, page=page), words=words))

    async def target(self, request: web.Request) -> web.Response:
        detail = self._window.detail(_key(request))
        if detail is None:
            gone = message("Not found", f"There is no InferenceAutoscaler {_key(request)} here.")
            return _html(document("Not found", self._window.operator(), gone), status=404)
        return _html(target_page(self._window.operator(), detail))

    async def fleet_json(self, request: web.Request) -> web.Response:
        words, page = _asked(request)
        fleet = self._window.fleet(words=words, page=page)
        return self._json(asdict(fleet))

    async def target_json(self, request: web.Request) -> web.Response:
        detail = self._window.detail(_key(request))
        if detail is None:
            return web.json_response({"error": f"no InferenceAutoscaler {_key(request)}"}, status=404)
        return self._json({"target": asdict(detail)})

    def _json(self, told: dict[str, object]) -> web.Response:
        return web.json_response({"version": VERSION, "operator": asdict(self._window.operator()), **told})


def _guard(hosts: frozenset[str]) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = _without_port(request.host).casefold()
        if name not in hosts:
            fix = "ask for localhost, or let the admin name the host (--page-host)"
            return web.Response(status=403, text=f"Host: {name[:100]!r}: not allowed; {fix}\n")
        return await handler(request)

    return guard


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


async def _headed(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _asked(request: web.Request) -> tuple[str, int]:
    page = request.query.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    return request.query.get("q", "")[:LONGEST_WORDS], number


def _key(request: web.Request) -> Key:
    return Key(request.match_info["namespace"], request.match_info["name"])


def _html(text: str, *, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")


def _static(path: str, kind: str) -> Handler:
    body = Path(__file__).with_name(path.removeprefix("/")).read_bytes()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8")

    return answer
