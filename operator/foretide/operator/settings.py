"""What the cluster's admin decides, as one frozen value; contradictions are refused at the start, in one line.

Addresses, certificates and tokens of metric sources live here and nowhere else: a custom resource names a source and
can never carry an address (reliability.md section 6).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from foretide.policies.flow import Rhythm
from foretide.policies.regret import regret_time

MAX_BODY_LIMIT = 8 * 2**20


class BadSettings(ValueError):
    """A setting that cannot be, in one line with field, value and fix."""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One Prometheus-compatible source. `scrape_s` is how often it scrapes the engines."""

    name: str
    address: str
    ca_file: Path | None = None
    token_file: Path | None = None
    scrape_s: float = 15.0
    max_body: int = 2**20

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadSettings(f"source {self.name}: address {self.address!r}: write http(s)://HOST[:PORT][/PATH]")
        if parts.username or parts.password:
            raise BadSettings(f"source {self.name}: address carries a user; put the token into a file instead")
        if parts.query or parts.fragment:
            raise BadSettings(f"source {self.name}: address {self.address!r}: leave out what follows ? or #")
        _positive(f"source {self.name}: scrape interval", self.scrape_s)
        if not 1024 <= self.max_body <= MAX_BODY_LIMIT:
            raise BadSettings(f"source {self.name}: max body {self.max_body}: between 1 KiB and 8 MiB")


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Leader election, with client-go's defaults. Times are seconds of the monotonic clock."""

    enabled: bool = True
    namespace: str = "foretide"
    name: str = "foretide-operator"
    duration_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0

    def __post_init__(self) -> None:
        _positive("lease retry", self.retry_s)
        if not self.retry_s < self.renew_deadline_s < self.duration_s:
            raise BadSettings(
                f"lease: retry {self.retry_s:g} s < renew deadline {self.renew_deadline_s:g} s "
                f"< duration {self.duration_s:g} s must hold"
            )


@dataclass(frozen=True, slots=True)
class ForecastSettings:
    """Where the network of the forecaster comes from; off by default, and the ladder is whole without it."""

    network: Path | None = None
    """A folder with checked artifacts; looked at again as it changes."""
    url: str | None = None
    """A forecast service that answers in its place."""
    ca_file: Path | None = None
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        _positive("forecast timeout", self.timeout_s)
        if self.url is None:
            return
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise BadSettings(f"forecast url: {self.url!r}: write http(s)://HOST[:PORT][/PATH]")
        if parts.username or parts.password:
            raise BadSettings("forecast url: carries a user: leave it out, the service asks for none")
        if self.network is not None:
            raise BadSettings("forecast: both a network and a url are given: leave one of them out")

    @property
    def on(self) -> bool:
        return self.network is not None or self.url is not None


@dataclass(frozen=True, slots=True)
class KedaSettings:
    """Where KEDA may ask, as HOST:PORT, and the age in seconds up to which a decision is an answer."""

    address: str | None = None
    stale_s: float = 180.0

    def __post_init__(self) -> None:
        _positive("keda stale", self.stale_s)
        if self.address is None:
            return
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise BadSettings(f"keda: {self.address}: write HOST:PORT, like 0.0.0.0:9091")


@dataclass(frozen=True, slots=True)
class PageSettings:
    """Where the read-only page answers, as HOST:PORT; nowhere without one. It asks nobody who they are."""

    address: str | None = None
    hosts: tuple[str, ...] = ()
    """Names under which it may be asked for beside those of the loopback."""

    def __post_init__(self) -> None:
        for host in self.hosts:
            if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", host):
                raise BadSettings(f"page host: {host!r}: write a name without a port, like foretide.example.com")
        if self.address is None:
            if self.hosts:
                raise BadSettings(f"page host: {self.hosts[0]}: there is no page; give --page, or leave it out")
            return
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise BadSettings(f"page: {self.address}: write HOST:PORT, like 127.0.0.1:8083")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one operator process. Durations are seconds."""

    sources: Mapping[str, SourceSettings]
    identity: str
    namespaces: tuple[str, ...] = ()
    """Empty means all."""
    kubeconfig: Path | None = None
    """None means the pod's own service account."""
    context: str | None = None
    plan_s: float = 60.0
    relief_s: float = 5.0
    step_s: float = 30.0
    """Grid of demand; the finest thing a forecast can see."""
    first_life_s: float = 600.0
    backfill_s: float = 86400.0
    """How much of the past is read from the metric source at the start."""
    relist_s: float = 60.0
    status_s: float = 60.0
    """At most one unchanged status write per resource in this time."""
    writes_per_s: float = 20.0
    """Statuses and events; what would be more waits. Scale writes never do."""
    cold_start_median_s: float = 120.0
    cold_start_sigma: float = 0.6
    season_s: float = 86400.0
    """The period after which demand looks alike."""
    paths: int = 256
    cache: Path = Path("~/.cache/foretide")
    journal: Path | None = None
    health_address: str = "127.0.0.1:8080"
    metrics_address: str = "127.0.0.1:8081"
    lease: LeaseSettings = field(default_factory=LeaseSettings)
    forecast: ForecastSettings = field(default_factory=ForecastSettings)
    keda: KedaSettings = field(default_factory=KedaSettings)
    engine_address: str = "http://{ip}:{port}"
    """Where an engine that sleeps is called."""
    page: PageSettings = field(default_factory=PageSettings)

    def __post_init__(self) -> None:
        if not self.sources:
            raise BadSettings("source: none given; name at least one, like --source default=http://prometheus:9090")
        for name in ("plan_s", "relief_s", "step_s", "relist_s", "status_s", "cold_start_median_s", "cold_start_sigma"):
            _positive(name.removesuffix("_s").replace("_", " "), getattr(self, name))
        _address(self.engine_address)
        if not 0 < self.writes_per_s < float("inf"):
            raise BadSettings(f"writes per second: {self.writes_per_s}: must be a positive number")
        if self.relief_s > self.plan_s:
            raise BadSettings(f"relief interval {self.relief_s:g} s is above plan interval {self.plan_s:g} s")
        if self.keda.stale_s <= self.plan_s:
            raise BadSettings(f"keda stale {self.keda.stale_s:g} s is not above plan interval {self.plan_s:g} s")
        if self.first_life_s < self.step_s:
            raise BadSettings(f"first life {self.first_life_s:g} s is below the grid step {self.step_s:g} s")
        if self.paths < 32:
            raise BadSettings(f"paths {self.paths}: fewer than 32 cannot carry a probability")

    @property
    def rhythm(self) -> Rhythm:
        return Rhythm(plan_s=self.plan_s, first_life_s=self.first_life_s, regret_s=regret_time(self.season_s))


def _address(template: str) -> None:
    try:
        told = urlsplit(template.format(ip="10.0.0.1", port=8000, pod="pod", namespace="namespace"))
    except (IndexError, KeyError, ValueError):
        told = urlsplit("")
    if told.scheme not in {"http", "https"} or not told.hostname or told.query or told.fragment:
        fix = "write http(s)://HOST[:PORT][/PATH] with any of {ip}, {port}, {pod}, {namespace}"
        raise BadSettings(f"engine address: {template}: {fix}")


def _positive(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise BadSettings(f"{name}: {value}: must be a positive number of seconds")
