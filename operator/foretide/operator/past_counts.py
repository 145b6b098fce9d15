"""How many replicas a target had in the past: what its present autoscaler did, read from a Prometheus.

Where kube-state-metrics is scraped, the count that the target asked for (Deployments and StatefulSets); else the pods
whose engines reported, which are only those that had become ready.

What is NOT promised: counts of a target that was renamed, or whose labels were rewritten on the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from foretide.operator.resource import Resource
from foretide.operator.seams import MetricsSource, Scrape
from foretide.operator.signals import escaped_regex
from foretide.policies.flow import Floats, Trust, frozen

ASKED_FOR = {
    "Deployment": ("kube_deployment_spec_replicas", "deployment"),
    "StatefulSet": ("kube_statefulset_replicas", "statefulset"),
}
"""Kind -> kube-state-metrics' metric of spec.replicas, and its label with the object's name."""
MOST_STEPS = 10_000
"""Of one query: Prometheus refuses more than 11,000."""


@dataclass(frozen=True, slots=True, eq=False)
class PastCounts:
    """Replicas at `start` + i * `step`, shape (T,), NaN where unknown."""

    start: float
    step: float
    replicas: Floats
    ordered: bool
    """True: what was asked for. False: what was ready, a cold start later."""


async def past_counts(
    source: MetricsSource, resource: Resource, *, start: float, rows: int, step: float, scrape_s: float
) -> PastCounts:
    """The target's counts on a grid; all NaN where the source knows nothing."""
    for promql, ordered in _questions(resource, scrape_s):
        replicas = np.full(rows, np.nan)
        for first in range(0, rows, MOST_STEPS):
            last = min(rows, first + MOST_STEPS) - 1
            found = await source.query_range(promql, start=start + first * step, end=start + last * step, step=step)
            _lay(replicas, found, start, step)
        if np.isfinite(replicas).any():
            return PastCounts(start, step, frozen(replicas), ordered)
    return PastCounts(start, step, frozen(np.full(rows, np.nan)), ordered=False)


def _questions(resource: Resource, scrape_s: float) -> Sequence[tuple[str, bool]]:
    """PromQL, the better question first, each with whether it is about what was asked for."""
    pool, space = resource.pool, escaped_regex(resource.key.namespace)
    recent = f"[{max(1, ceil(2 * scrape_s))}s]"
    pods = f'namespace=~"{space}",pod=~"{escaped_regex(pool.target.name)}-.+"'
    preset = resource.lens.preset
    names = "|".join(name.replace(":", "[:_]") for name in preset.names(("running",)))
    engines = f'{{__name__=~"{names}",{pods}}}'
    counted = (f"count(count by (pod) (count_over_time({engines}{recent})))", False)
    # A gateway's pods are not the target's.
    reporting = () if preset.gateway else (counted,)
    if pool.target.kind not in ASKED_FOR:
        return reporting
    metric, label = ASKED_FOR[pool.target.kind]
    asked = f'max({metric}{{namespace=~"{space}",{label}=~"{escaped_regex(pool.target.name)}"}})'
    return ((asked, True), *reporting)


def _lay(replicas: Floats, found: Scrape, start: float, step: float) -> None:
    if found.trust not in (Trust.FRESH, Trust.PARTIAL) or not found.series:
        return
    series = found.series[0]
    index = np.round((series.at - start) / step).astype(np.int64)
    sound = (index >= 0) & (index < len(replicas)) & np.isfinite(series.values) & (series.values >= 0)
    replicas[index[sound]] = series.values[sound]
