"""What the metric sources say about all targets of a pass: one query per source, then a history or a backlog each."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from foretide.operator.engines.preset import FURTHER, NEEDED, QUEUE, Lens
from foretide.operator.look import Look
from foretide.operator.resource import Resource
from foretide.operator.seams import MetricsSource, Scrape
from foretide.operator.settings import Settings
from foretide.operator.signals import PodSeries, backlog, judged, pod_series, selector, settled
from foretide.operator.target import Target
from foretide.policies.demand import demand_history
from foretide.policies.flow import Backlog, DemandHistory, Trust

BACKFILL_CHUNK = 240
"""Grid steps per query of the past: a few hundred kilobytes for a dozen pods."""

DISCOVERY_SCRAPES = 3
"""Scrapes after which a pod that became ready must have been found and read."""


class Reading:
    """Reads sources by name. A source that nobody configured reads as absent, with the reason."""

    def __init__(self, settings: Settings, sources: Mapping[str, MetricsSource]) -> None:
        self._settings = settings
        self._sources = sources

    def scrape_s(self, source: str) -> float:
        configured = self._settings.sources.get(source)
        return configured.scrape_s if configured else self._settings.step_s

    def window_s(self, source: str) -> float:
        """How far a plan looks back: enough that a missed plan leaves no gap."""
        return 2 * self._settings.plan_s + 2 * self._settings.step_s + 2 * self.scrape_s(source)

    async def plan(self, resources: Iterable[Resource], *, now: float) -> dict[Lens, PodSeries]:
        """Engine counters over the plan's window."""
        return await self._by_lens(resources, now, queue_only=False)

    async def queues(self, resources: Iterable[Resource], *, now: float) -> dict[Lens, PodSeries]:
        """What runs and waits now."""
        return await self._by_lens(resources, now, queue_only=True)

    def history(
        self, series: PodSeries, *, resource: Resource, target: Target, look: Look, now: float
    ) -> DemandHistory:
        """The target's demand until now, laid over what is known of its past."""
        source = resource.source
        history = demand_history(
            pods=series.of(resource.key.namespace, target.pods),
            start=now - self.window_s(source),
            end=now,
            step=self._settings.step_s,
            scrape_s=self.scrape_s(source),
            previous=target.history,
            expected_pods=None
            if series.preset.gateway
            else look.reporting_pods(now=now, within_s=DISCOVERY_SCRAPES * self.scrape_s(source)),
        )
        if history.trust is Trust.ABSENT:
            told = series.lacks(resource.key.namespace, target.pods)
            history = replace(history, why=told or _with_hint(history.why, series))
        return judged(settled(history, until=now - self.scrape_s(source)), series)

    def backlog(self, series: PodSeries, *, resource: Resource, look: Look, now: float) -> Backlog:
        return backlog(
            series,
            namespace=resource.key.namespace,
            ready=look.ready_pods(),
            now=now,
            scrape_s=self.scrape_s(resource.source),
        )

    async def past(self, resource: Resource, *, now: float) -> DemandHistory | None:
        """Demand before this life, as far back as the settings say; None when the source cannot tell."""
        step, source = self._settings.step_s, self._sources.get(resource.source)
        history: DemandHistory | None = None
        # A plain range query would repeat a lost target's last sample for five minutes: missing would read as idle.
        recent = max(1, round(2000 * self.scrape_s(resource.source)))
        lens = resource.lens
        promql = selector([resource.key.namespace], pods_of=resource.told_by, preset=lens.preset, model=lens.model)
        query = f"last_over_time({promql}[{recent}ms])"
        start, end = now - self._settings.backfill_s, now - step
        while source is not None and start < end:
            until = min(end, start + BACKFILL_CHUNK * step)
            found = await source.query_range(query, start=start, end=until, step=step)
            if found.trust not in (Trust.FRESH, Trust.PARTIAL):
                return None
            history = self._past_chunk(found, resource, history, start, until)
            start = until
        return history

    def _past_chunk(
        self, found: Scrape, resource: Resource, before: DemandHistory | None, start: float, end: float
    ) -> DemandHistory:
        series = pod_series(found, preset=resource.lens.preset)
        namespace = resource.key.namespace
        return demand_history(
            pods=series.of(namespace, series.matching(namespace, resource.pool.target.name)),
            start=start,
            end=end,
            step=self._settings.step_s,
            scrape_s=self._settings.step_s,
            previous=before,
        )

    async def _by_lens(self, resources: Iterable[Resource], now: float, *, queue_only: bool) -> dict[Lens, PodSeries]:
        namespaces: dict[Lens, set[str]] = defaultdict(set)
        for resource in resources:
            namespaces[resource.lens].add(resource.key.namespace)
        answers = await asyncio.gather(
            *(self._one(lens, found, now, queue_only=queue_only) for lens, found in namespaces.items())
        )
        return dict(zip(namespaces, answers, strict=True))

    async def _one(self, lens: Lens, namespaces: set[str], now: float, *, queue_only: bool) -> PodSeries:
        name, preset = lens.source, lens.preset
        source = self._sources.get(name)
        if source is None:
            known = ", ".join(sorted(self._sources))
            why = f"metrics.source: {name!r} is not configured; the admin offers: {known}"
            return PodSeries({}, Trust.ABSENT, why, preset=preset)
        window = 3 * self.scrape_s(name) if queue_only else self.window_s(name)
        words = QUEUE if queue_only else (*NEEDED, *FURTHER)
        promql = selector(namespaces, words=words, pods_of=lens.gateway, preset=preset, model=lens.model)
        scrape = await source.query(f"{promql}[{max(1, round(window * 1000))}ms]", at=now)
        return pod_series(scrape, needed=QUEUE if queue_only else NEEDED, preset=preset)


def _with_hint(why: str, series: PodSeries) -> str:
    hint = series.preset.hint if series.trust in (Trust.FRESH, Trust.PARTIAL) else ""
    return "; ".join(filter(None, (why, hint)))
