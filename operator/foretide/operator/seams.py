"""The four seams between the loop and the world: Clock, MetricsSource, Cluster, Journal.

Each is a narrow Protocol; the tests and the simulator put in-memory twins behind them, so that the loop that ships is
the loop that is tested. Failures are values here: an implementation answers with a Trust or an outcome, and raises
only `ClusterError` for a Kubernetes API that did not do what was asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from foretide.policies.flow import Floats, Trust

Body = Mapping[str, Any]
"""A Kubernetes object as parsed from JSON."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which InferenceAutoscaler."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class TargetRef:
    api_version: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One time series as a metric source gave it: `at` ascending in seconds, `values` unchecked (NaN possible)."""

    labels: Mapping[str, str]
    at: Floats
    values: Floats

    @property
    def metric(self) -> str:
        return self.labels.get("__name__", "")


@dataclass(frozen=True, slots=True, eq=False)
class Scrape:
    """What a metric source answered: FRESH when whole, PARTIAL with warnings; any other trust means no data."""

    series: tuple[Series, ...]
    trust: Trust
    why: str = ""


class ClusterError(Exception):
    """The Kubernetes API refused or could not be reached; `status` is the HTTP status, 0 without an answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NotScalable(ClusterError):
    """The target's kind does not exist or has no scale subresource."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A /scale as read: `version` is the resourceVersion that a conditional write names."""

    replicas: int
    version: str
    selector: str


class Written(StrEnum):
    """What became of a write to /scale."""

    DONE = "done"
    MOVED = "moved"
    """409: the target changed since it was read. Decide again; never send the same again."""


class Cluster(Protocol):
    """What the loop needs of Kubernetes. Every method may raise ClusterError."""

    async def autoscalers(self) -> Sequence[Body]: ...
    async def scale(self, namespace: str, ref: TargetRef) -> Scale: ...
    async def write_scale(self, namespace: str, ref: TargetRef, *, replicas: int, version: str) -> Written: ...
    async def writer(self, namespace: str, ref: TargetRef) -> str:
        """The field manager that owns `spec.replicas`; empty where none does."""
        ...

    async def pods(self, namespace: str, selector: str) -> Sequence[Body]: ...
    async def annotate_pod(self, namespace: str, name: str, annotations: Mapping[str, str | None]) -> None:
        """Sets annotations of a pod; None removes one."""
        ...

    async def rivals(self, namespace: str) -> Sequence[Body]:
        """Other autoscalers of the namespace: HorizontalPodAutoscalers and, where that API exists, ScaledObjects."""
        ...

    async def write_status(self, key: Key, status: Mapping[str, Any]) -> None: ...
    async def emit(self, event: Body) -> None: ...


class MetricsSource(Protocol):
    """PromQL in, series out. Never raises: a source that fails answers with its trust and why."""

    async def query(self, promql: str, *, at: float) -> Scrape: ...
    async def query_range(self, promql: str, *, start: float, end: float, step: float) -> Scrape: ...


class Clock(Protocol):
    """`now` is wall time, seconds since 1970; `monotonic` never jumps and means nothing by itself."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class Journal(Protocol):
    """Keeps what was decided on what evidence."""

    @property
    def keeps(self) -> bool:
        """Whether a record is worth making: one costs milliseconds."""
        ...

    def append(self, record: Mapping[str, Any]) -> None: ...
