"""MetricsSource over HTTP: a Prometheus-compatible API, read with bounds and never trusted further than it deserves.

5 s in total, a bounded body, no redirects, no proxies from the environment; every shape is checked. What comes back is
never an exception: an answer that cannot be used says so by its trust, and its `why` holds no body and no address.

What is NOT promised: that samples are sound. Timestamps and values are judged per target, in signals.py and demand.py.
"""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Self

import aiohttp
import numpy as np

from foretide.operator.credentials import Credentials
from foretide.operator.seams import Scrape, Series
from foretide.operator.settings import SourceSettings
from foretide.operator.wire import TooLarge, bounded_body, parsed
from foretide.policies.flow import Trust, frozen

TIMEOUT = aiohttp.ClientTimeout(total=5, connect=2)
MAX_SAMPLES = 200_000
MAX_SKEW_S = 60.0
"""Samples of a source whose clock is ahead look newer than they are: beyond this it is trusted in part only."""


class BadAnswer(ValueError):
    """An answer that has not the documented shape, in a few words."""


class Prometheus:
    """A MetricsSource. Use as an async context manager."""

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        tls = Credentials(self._settings.address, ca_file=self._settings.ca_file).ssl_context()
        connector = aiohttp.TCPConnector(ssl=tls, limit=4)
        self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def query(self, promql: str, *, at: float) -> Scrape:
        return await self._ask("query", {"query": promql, "time": f"{at:.3f}"})

    async def query_range(self, promql: str, *, start: float, end: float, step: float) -> Scrape:
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return await self._ask("query_range", {"query": promql, **times})

    async def _ask(self, endpoint: str, form: dict[str, str]) -> Scrape:
        name = self._settings.name
        try:
            status, skew_s, body = await self._post(endpoint, form)
        except TooLarge:
            return _nothing(
                Trust.INVALID,
                f"source {name}: answer is larger than {self._settings.max_body} bytes; raise its max body",
            )
        except (TimeoutError, aiohttp.ClientError) as error:
            return _nothing(Trust.ABSENT, f"source {name}: unreachable ({type(error).__name__}); check its address")
        except OSError as error:
            return _nothing(Trust.ABSENT, f"source {name}: its token file cannot be read ({error.strerror})")
        return self._timed(self._read(status, body), skew_s)

    async def _post(self, endpoint: str, form: dict[str, str]) -> tuple[int, float, bytes]:
        if self._session is None:
            raise RuntimeError("Prometheus is to be used as an async context manager")
        headers = {}
        if self._settings.token_file:
            headers["Authorization"] = f"Bearer {self._settings.token_file.read_text(encoding='utf-8').strip()}"
        url = f"{self._settings.address.rstrip('/')}/api/v1/{endpoint}"
        async with self._session.post(url, data=form, headers=headers, allow_redirects=False) as response:
            skew_s = _skew(response.headers, time.time())
            return response.status, skew_s, await bounded_body(response, self._settings.max_body)

    def _timed(self, scrape: Scrape, skew_s: float) -> Scrape:
        if scrape.trust is not Trust.FRESH or abs(skew_s) <= MAX_SKEW_S:
            return scrape
        told = f"its clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} ours; set both by NTP"
        return Scrape(scrape.series, Trust.PARTIAL, f"source {self._settings.name}: {told}")

    def _read(self, status: int, body: bytes) -> Scrape:
        name, answer = self._settings.name, parsed(body)
        if status != 200 or not isinstance(answer, dict) or answer.get("status") != "success":
            return _nothing(Trust.INVALID, f"source {name}: answered {status}, not a success of the Prometheus API")
        try:
            series = _series(answer.get("data"))
        except BadAnswer as error:
            return _nothing(Trust.INVALID, f"source {name}: {error}")
        if answer.get("warnings"):
            return Scrape(series, Trust.PARTIAL, f"source {name}: answered with warnings, so it may be incomplete")
        return Scrape(series, Trust.FRESH)


def _skew(headers: Mapping[str, str], now: float) -> float:
    """Seconds by which the sender's clock is ahead of ours; 0 where it does not tell."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _nothing(trust: Trust, why: str) -> Scrape:
    return Scrape((), trust, why)


def _series(data: Any) -> tuple[Series, ...]:
    """The matrix of an answer. Raises BadAnswer for any other shape."""
    if not isinstance(data, dict) or data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
        raise BadAnswer("the answer holds no matrix")
    series = tuple(_one(item) for item in data["result"])
    if sum(len(one.at) for one in series) > MAX_SAMPLES:
        raise BadAnswer(f"the answer holds more than {MAX_SAMPLES} samples")
    return series


def _one(item: Any) -> Series:
    labels = item.get("metric") if isinstance(item, dict) else None
    samples = item.get("values") if isinstance(item, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(label, str) for label in labels.values()):
        raise BadAnswer("a series has no labels")
    if not isinstance(samples, list):
        raise BadAnswer("a series has no values (native histograms are not read)")
    try:
        at = np.array([float(stamp) for stamp, _ in samples])
        values = np.array([_number(value) for _, value in samples])
    except (OverflowError, TypeError, ValueError):
        raise BadAnswer('a sample is not a [time, "number"] pair') from None
    return Series(labels, frozen(at), frozen(values))


def _number(value: Any) -> float:
    if not isinstance(value, str):
        raise TypeError("Prometheus writes sample values as strings")
    return float(value)
