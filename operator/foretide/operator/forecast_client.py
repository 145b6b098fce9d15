"""A head that is served elsewhere, asked over HTTP within a deadline; what goes wrong is `Refused`, never a wait.

The first contact is a handshake: same wire format, same schema, or the service is not used. After a failure it is left
alone for `PAUSE_S`, so that a service that is gone costs one deadline a minute and not one per target.

What is NOT promised: anything in its place. The ladder goes on without its network tier.
"""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from foretide.forecaster.network.card import Array, Refused
from foretide.forecaster.network.features import Arrays
from foretide.forecaster.network.schema import Schema, digest
from foretide.forecaster.network.wire import (
    MAGIC,
    BadMessage,
    Question,
    largest_answer,
    packed_question,
    read_answer,
)
from foretide.operator.settings import ForecastSettings

PAUSE_S = 60.0
LARGEST_ABOUT = 2**16


@dataclass(slots=True)
class RemoteHead:
    """A `Runner` for one head. Used from worker threads, one at a time."""

    schema: Schema
    settings: ForecastSettings
    monotonic: Callable[[], float] = time.monotonic
    name: str = "forecast service"
    _met: bool = field(default=False, repr=False)
    _again_at: float = field(default=float("-inf"), repr=False)
    _why: str = field(default="", repr=False)

    def drawn(self, arrays: Arrays, *, seeds: Sequence[int], count: int) -> Array:
        """As `Session.drawn`. Raises Refused, at once while the pause after a failure lasts."""
        if self.monotonic() < self._again_at:
            raise Refused(f"{self._why}; left alone for {PAUSE_S:.0f} s")
        try:
            return self._asked(arrays, seeds, count)
        except (OSError, http.client.HTTPException, BadMessage, Refused) as error:
            self._again_at, self._met = self.monotonic() + PAUSE_S, False
            self._why = str(error) if isinstance(error, Refused) else f"forecast service: {_told(error)}"
            raise Refused(self._why) from error

    def _asked(self, arrays: Arrays, seeds: Sequence[int], count: int) -> Array:
        deadline = self.monotonic() + self.settings.timeout_s
        if not self._met:
            self._meet(deadline)
        shape = (len(seeds), count, self.schema.horizon, len(self.schema.targets))
        question = packed_question(Question(digest(self.schema), arrays, tuple(seeds), count))
        body = self._exchange("POST", f"/v1/paths/{self.schema.head}", question, largest_answer(shape), deadline)
        return read_answer(body, shape=shape)

    def _meet(self, deadline: float) -> None:
        try:
            about = json.loads(self._exchange("GET", "/v1/about", None, LARGEST_ABOUT, deadline))
            wire, head = about["wire"], about["heads"][self.schema.head]
            schema, network = str(head["schema_sha256"]), str(head["network"])
        except (ValueError, RecursionError, LookupError, TypeError) as error:
            raise Refused(f"forecast service: does not serve head {self.schema.head}; name another network") from error
        if wire != MAGIC.decode() or schema != digest(self.schema):
            raise Refused("forecast service: has another wire format or schema; use one version on both sides")
        self.name, self._met = network[:100], True

    def _exchange(self, method: str, path: str, body: bytes | None, limit: int, deadline: float) -> bytes:
        connection = self._connection(deadline)
        try:
            connection.request(method, self._prefix() + path, body=body)
            response = connection.getresponse()
            answer = _read(response, limit, deadline, self.monotonic)
        finally:
            connection.close()
        if response.status != 200:
            line = " ".join(answer[:200].decode("utf-8", "replace").split())
            raise Refused(f"forecast service: answered {response.status} ({line})")
        return answer

    def _connection(self, deadline: float) -> http.client.HTTPConnection:
        parts, left = urlsplit(self.settings.url or ""), max(0.001, deadline - self.monotonic())
        if parts.scheme == "https":
            trusted = ssl.create_default_context(cafile=self.settings.ca_file)
            return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=left, context=trusted)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=left)

    def _prefix(self) -> str:
        return urlsplit(self.settings.url or "").path.rstrip("/")


def _read(response: http.client.HTTPResponse, limit: int, deadline: float, now: Callable[[], float]) -> bytes:
    """The body, within its limit and its time. Raises Refused, or TimeoutError."""
    found = bytearray()
    while part := response.read1(65536):
        found += part
        if len(found) > limit:
            raise Refused(f"forecast service: answer is larger than {limit} bytes")
        if now() > deadline:
            raise TimeoutError("took longer than its time")
    return bytes(found)


def _told(error: Exception) -> str:
    """Without addresses: a status may be read by who may not know them."""
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    return str(error) if isinstance(error, BadMessage) else f"unreachable ({type(error).__name__})"
