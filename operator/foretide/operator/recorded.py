"""One target's past from one Prometheus: what users asked for, and how many replicas stood. For a backtest.

What is NOT promised: that the two are whole. Gaps stay gaps; whoever replays them says how many there were.
"""

from dataclasses import dataclass, replace

from foretide.operator.past_counts import PastCounts, past_counts
from foretide.operator.past_demand import DAY_S, Told, past_demand
from foretide.operator.prometheus import Prometheus
from foretide.operator.reading import Reading
from foretide.operator.resource import Resource
from foretide.operator.settings import Settings, SourceSettings
from foretide.policies.flow import DemandHistory


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Both on the same grid."""

    demand: DemandHistory
    """With rows that may hide demand kept, and flagged."""
    counts: PastCounts


async def recorded(
    source: SourceSettings, resource: Resource, *, now: float, span_s: float, step: float, progress: Told | None = None
) -> Recorded:
    """The last `span_s` seconds before `now`. Raises NoHistory where no demand is known."""
    settings = Settings({source.name: source}, "backtest", step_s=step, backfill_s=min(DAY_S, span_s))
    async with Prometheus(source) as metrics:
        demand = await past_demand(
            Reading(settings, {source.name: metrics}),
            replace(resource, source=source.name),
            settings=settings,
            now=now,
            span_s=span_s,
            censored=True,
            progress=progress,
        )
        counts = await past_counts(
            metrics, resource, start=demand.start, rows=len(demand.values), step=step, scrape_s=source.scrape_s
        )
    return Recorded(demand, counts)
