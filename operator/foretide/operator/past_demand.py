"""Demand of one target over many days, read from a Prometheus, as a series file that training and evaluation read.

    time (seconds since 1970), requests, prompt_tokens, output_tokens; per second; a gap is an empty row

Rows that may hide demand are gaps too: nobody should learn that no more was asked for.

What is NOT promised: lengths across the days' borders. The running mean of lengths begins anew each day.
"""

import csv
from pathlib import Path

import numpy as np

from foretide.operator.reading import Reading
from foretide.operator.resource import Resource, parse
from foretide.operator.settings import Settings
from foretide.policies.flow import INDICATORS, DemandHistory, Floats, Trust, frozen

DAY_S = 86400.0


class NoHistory(ValueError):
    """A source that has nothing about the target, in one line."""


def target_of(namespace: str, name: str) -> Resource:
    """A resource that stands for pods named `NAME-*` in the namespace; nothing in the cluster is asked."""
    spec = {
        "model": "any",
        "objective": {"ttft": {"threshold": "1s"}},
        "pools": [{"targetRef": {"name": name}, "accelerator": "any", "maxReplicas": 1}],
    }
    parsed = parse({"metadata": {"namespace": namespace, "name": name}, "spec": spec})
    if parsed.resource is None:
        raise NoHistory(f"--target: {namespace}/{name}: {'; '.join(parsed.problems)}")
    return parsed.resource


async def past_demand(
    reading: Reading, resource: Resource, *, settings: Settings, now: float, days: int
) -> DemandHistory:
    """Demand of the last `days` days on the settings' grid, gaps as NaN. Raises NoHistory where there is none at all.

    `settings.backfill_s` must be one day: what is read at a time.
    """
    step = settings.step_s
    rows = round(days * DAY_S / step)
    start = (now // step - rows) * step
    values = np.full((rows, len(INDICATORS)), np.nan)
    for day in range(days):
        found = await reading.past(resource, now=min(now, start + (day + 1) * DAY_S + step))
        if found is not None:
            _lay(values, found, start, step)
    if not np.isfinite(values).any():
        key = resource.key
        raise NoHistory(f"--target: {key}: no demand in {days} days; check the name, the source and its labels")
    return DemandHistory(start, step, frozen(values), Trust.FRESH)


def write_series(history: DemandHistory, path: Path) -> None:
    """The history as CSV; empty cells are gaps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["time", *INDICATORS])
        for i, row in enumerate(history.values.tolist()):
            known = [f"{value:.6g}" if np.isfinite(value) else "" for value in row]
            rows.writerow([f"{history.start + i * history.step:.0f}", *known])


def _lay(values: Floats, found: DemandHistory, start: float, step: float) -> None:
    first = round((found.start - start) / step)
    for i, (row, censored) in enumerate(zip(found.values, found.flags, strict=True)):
        if 0 <= first + i < len(values) and np.isfinite(row).all() and not censored:
            values[first + i] = row
