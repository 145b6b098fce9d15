"""One window of some pods of a target, as the policies read it: from scrapes to a `Window`, or why there is none. Pure.

What runs alike is put together as one replica that lived for as many seconds as all of them: counts are those of all,
goodput and rates are those of one.

What is NOT promised: a window with a pod missing. Where one that was ready throughout did not tell, nothing is known.
"""

from collections.abc import Collection
from dataclasses import dataclass
from math import nan

import numpy as np

from foretide.operator.resource import Resource
from foretide.operator.seams import Scrape
from foretide.operator.signals import PodSeries, escaped_regex
from foretide.operator.tuner.histograms import Buckets, Lacking, bucket_sums, grown, kept_share, wanted
from foretide.policies.concurrency.window import Window
from foretide.policies.demand import EngineSamples
from foretide.policies.flow import Floats, Trust

LATE_SCRAPES = 3.0
"""Scrapes after which a pod's newest sample is too old."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, in seconds of the wall clock, and how often engines are scraped."""

    start: float
    end: float
    scrape_s: float

    @property
    def query_s(self) -> float:
        """How far to look back, so that a sample from before the start is there."""
        return self.end - self.start + 2 * self.scrape_s


@dataclass(frozen=True, slots=True, eq=False)
class Scraped:
    """What a source said of a namespace: engine counters, and latency histograms."""

    engines: PodSeries
    latencies: Scrape


def histogram_selector(resource: Resource) -> str:
    """What to ask for beside the engine's counters; empty where the engine has no histogram for the objective."""
    names = wanted(resource.preset.engine, resource.spec.objective).values()
    asked = "|".join(f"{name}_bucket".replace(":", "[:_]") for name in names)
    space = escaped_regex(resource.key.namespace)
    return f'{{__name__=~"{asked}",namespace=~"{space}",pod!=""}}' if asked else ""


def window(scraped: Scraped, *, resource: Resource, pods: Collection[str], limit: int, span: Span) -> Window | Lacking:
    """These pods' window at a limit that was in force throughout."""
    if not pods:
        return Lacking("no pod was ready for the whole window")
    for trust, why in ((scraped.engines.trust, scraped.engines.why), (scraped.latencies.trust, scraped.latencies.why)):
        if trust is not Trust.FRESH:
            return Lacking(why or "the metric source did not answer in full")
    seen = scraped.engines.replicas(resource.key.namespace, pods)
    if late := sorted(pod for pod in pods if not _is_told(seen.get(pod), span)):
        words = scraped.engines.lacks(resource.key.namespace, pods)
        return Lacking(words or f"no fresh metrics of {', '.join(late[:3])}: is it scraped?")
    shares = _shares(scraped, resource, pods, span)
    ended = sum(_of(seen[pod], "finished", span) - _of(seen[pod], "aborted", span) for pod in pods)
    share = 1.0 if ended < 1 else kept_share(shares, resource.spec.objective)
    if isinstance(share, Lacking):
        return share
    tokens = {name: sum(_of(seen[pod], name, span) for pod in pods) for name in ("prompt_tokens", "output_tokens")}
    return Window(
        limit=limit,
        seconds=(span.end - span.start) * len(pods),
        gpus=resource.pool.gpus_per_replica,
        admitted=round(ended),
        refused=round(sum(_of(seen[pod], "rejected", span) for pod in pods)),
        ended=round(ended),
        good=round(share * round(ended)),
        prompt_tokens=tokens["prompt_tokens"] / ended if ended >= 1 else nan,
        output_tokens=tokens["output_tokens"] / ended if ended >= 1 else nan,
        busy=sum(_there(seen[pod], span) for pod in pods) / len(pods),
        kv_share=nan,
        replicas=1.0,
    )


def _shares(scraped: Scraped, resource: Resource, pods: Collection[str], span: Span) -> dict[str, Buckets]:
    """By metric of the objective: the buckets of all pods together."""
    series = tuple(one for one in scraped.latencies.series if one.labels.get("namespace") == resource.key.namespace)
    found: dict[str, Buckets] = {}
    for metric, name in wanted(resource.preset.engine, resource.spec.objective).items():
        total: dict[float, float] = {}
        for pod, buckets in bucket_sums(series, name, start=span.start, end=span.end).items():
            for bound, count in buckets.items() if pod in pods else ():
                total[bound] = total.get(bound, 0.0) + count
        found[metric] = total
    return found


def _is_told(samples: EngineSamples | None, span: Span) -> bool:
    """Whether a pod tells of the whole window, up to a scrape at either end."""
    if samples is None or len(samples.at) < 2:
        return False
    slack = LATE_SCRAPES * span.scrape_s
    return bool(samples.at[-1] >= span.end - slack and samples.at[0] <= span.start + span.scrape_s)


def _of(samples: EngineSamples, name: str, span: Span) -> float:
    """What a counter counted; nought for one that the engine does not have."""
    column: Floats | None = getattr(samples, name)
    return 0.0 if column is None else grown(samples.at, column, start=span.start, end=span.end) or 0.0


def _there(samples: EngineSamples, span: Span) -> float:
    """Mean of the requests that were there, running and waiting."""
    within = (samples.at > span.start) & (samples.at <= span.end)
    rows = within if within.any() else np.ones(len(samples.at), dtype=bool)
    return float((samples.running + samples.waiting)[rows].mean())
