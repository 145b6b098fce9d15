"""What the tuner looks at before it decides: the number, the pods, and what their metrics said of the last window.

What is NOT promised: an exception. Whatever cannot be seen is a `Still`, with its reason and the fix.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from foretide.operator.engines.preset import NEEDED
from foretide.operator.pods import Replica, replicas
from foretide.operator.resource import Resource
from foretide.operator.seams import Body, ClusterError, Key, MetricsSource, Scale, Scrape, TargetRef
from foretide.operator.settings import Settings
from foretide.operator.signals import pod_series, selector
from foretide.operator.tuner.decide import Pods
from foretide.operator.tuner.endpoints import Held
from foretide.operator.tuner.histograms import Lacking
from foretide.operator.tuner.knob import Refusal, read
from foretide.operator.tuner.sight import Scraped, Span, histogram_selector
from foretide.operator.tuner.sight import window as window_of
from foretide.operator.tuner.told import STOPPED, WAITING, Still
from foretide.operator.tuner.written import Canary, Endpoint, Knob
from foretide.policies.concurrency.window import Window
from foretide.policies.flow import Trust


class Reader(Protocol):
    """What of `Objects` is needed here."""

    async def get(self, namespace: str, ref: TargetRef) -> Body: ...


class Asking(Protocol):
    """What of `Endpoints` is needed here."""

    async def number(self, key: Key, endpoint: Endpoint) -> Held | Still: ...


class Targets(Protocol):
    """What of `Kubernetes` is needed here."""

    async def scale(self, namespace: str, ref: TargetRef) -> Scale: ...
    async def pods(self, namespace: str, selector: str) -> Sequence[Body]: ...


@dataclass(frozen=True, slots=True)
class Number:
    """A knob as it was read, with the object around it."""

    value: int
    body: Body
    etag: str | None = None
    """Of an endpoint that tells one."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The pods that run a target's limit, and those that run the canary's."""

    pods: tuple[Replica, ...]
    canaries: tuple[Replica, ...] = ()

    def now(self) -> Pods:
        ready = sum(pod.ready for pod in self.pods)
        return Pods(frozenset(pod.template for pod in self.pods if pod.template), 2 * ready >= len(self.pods))

    def start_s(self, usual: float) -> float:
        """How long a start took of late; `usual` where none was seen."""
        seen = [pod.started_s for pod in self.pods if pod.started_s is not None]
        return median(seen) if seen else usual


class Looking:
    """All of it for one process."""

    def __init__(
        self,
        *,
        cluster: Targets,
        objects: Reader,
        endpoints: Asking,
        sources: Mapping[str, MetricsSource],
        settings: Settings,
        window_s: float,
    ) -> None:
        self._cluster, self._objects, self._endpoints, self._sources = cluster, objects, endpoints, sources
        self._settings, self._window_s = settings, window_s

    async def number(self, resource: Resource, knob: Knob | Endpoint) -> Number | Still:
        if isinstance(knob, Endpoint):
            held = await self._endpoints.number(resource.key, knob)
            return held if isinstance(held, Still) else Number(held.value, held.body, held.etag)
        try:
            body = await self._objects.get(resource.key.namespace, knob.ref)
        except ClusterError as error:
            return unread(knob.ref, error)
        found = read(body, knob.path, knob.pattern)
        if isinstance(found, Refusal):
            return Still(STOPPED, "BadKnob", f"spec.concurrency.knob: {knob.ref}: {found.text}")
        return Number(found, body)

    async def fleet(self, resource: Resource, canary: Canary | None) -> Fleet | Still:
        """Terminating pods are part of neither."""
        space, target = resource.key.namespace, resource.pool.target
        try:
            scale = await self._cluster.scale(space, target)
            ours = await self._cluster.pods(space, scale.selector) if scale.selector else ()
            labels = ",".join(f"{name}={value}" for name, value in canary.pod_labels) if canary else ""
            theirs = await self._cluster.pods(space, labels) if labels else ()
        except ClusterError as error:
            return Still(WAITING, "TargetNotSeen", f"{target}: {str(error)[:200]}")
        canaries = _present(theirs)
        names = {pod.name for pod in canaries}
        return Fleet(tuple(pod for pod in _present(ours) if pod.name not in names), canaries)

    def span(self, resource: Resource, *, now: float) -> Span:
        configured = self._settings.sources.get(resource.source)
        return Span(now - self._window_s, now, configured.scrape_s if configured else self._settings.step_s)

    async def scraped(self, resource: Resource, *, span: Span) -> Scraped | Still:
        """Two queries: counters, and histograms."""
        source = self._sources.get(resource.source)
        if source is None:
            known = ", ".join(sorted(self._sources))
            words = f"metrics.source: {resource.source!r} is not configured; the admin offers: {known}"
            return Still(WAITING, "MetricsMissing", words)
        lens, window = resource.lens, f"[{max(1, round(1000 * span.query_s))}ms]"
        counters = selector([resource.key.namespace], words=NEEDED, preset=lens.preset, model=lens.model)
        asked = histogram_selector(resource)
        engines = pod_series(await source.query(f"{counters}{window}", at=span.end), preset=lens.preset)
        return Scraped(
            engines, await source.query(f"{asked}{window}", at=span.end) if asked else Scrape((), Trust.FRESH)
        )

    @staticmethod
    def window(
        scraped: Scraped, *, resource: Resource, pods: Collection[Replica], limit: int, span: Span
    ) -> Window | Still:
        """Of the pods that were ready throughout; younger ones count from the next window on."""
        whole = {pod.name for pod in pods if pod.ready and (pod.ready_at is None or pod.ready_at <= span.start)}
        found = window_of(scraped, resource=resource, pods=whole, limit=limit, span=span)
        return Still(WAITING, "MetricsMissing", found.text) if isinstance(found, Lacking) else found


def _present(found: Collection[Body]) -> tuple[Replica, ...]:
    return tuple(pod for pod in replicas(found) if not pod.terminating)


def unread(ref: TargetRef, error: ClusterError) -> Still:
    """What a failed read of the knob's object means for its owner."""
    where = f"spec.concurrency.knob.objectRef: {ref}"
    if error.status == 404:
        return Still(
            STOPPED, "KnobNotFound", f"{where}: {_said(error, 'does not exist')}; create it or correct the name"
        )
    if error.status in (401, 403):
        fix = "name its kind in the chart's `tuner.knobs`"
        return Still(STOPPED, "KnobForbidden", f"{where}: the tuner may not read or write it; {fix}")
    if error.status == 400:
        return Still(STOPPED, "BadKnob", f"{where}: {error}")
    return Still(WAITING, "ClusterUnreachable", f"{where}: {str(error)[:200]}")


def _said(error: ClusterError, usual: str) -> str:
    return str(error) if "has no kind" in str(error) else usual
