"""Demand of one target over many days, read from a Prometheus, as a series file that training and evaluation read.

    time (seconds since 1970), requests, prompt_tokens, output_tokens; per second; a gap is an empty row

Rows that may hide demand are gaps too: nobody should learn that no more was asked for.

What is NOT promised: lengths across the days' borders. The running mean of lengths begins anew each day.
"""

import csv
from collections.abc import Callable
from math import ceil
from pathlib import Path

import numpy as np

from foretide.operator.reading import Reading
from foretide.operator.resource import Resource, parse
from foretide.operator.settings import Settings
from foretide.policies.flow import INDICATORS, DemandHistory, Floats, Trust, frozen

DAY_S = 86400.0
Told = Callable[[float], None]
"""Told how much of a long read is done, in [0, 1]."""


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
    reading: Reading,
    resource: Resource,
    *,
    settings: Settings,
    now: float,
    span_s: float,
    censored: bool = False,
    progress: Told | None = None,
) -> DemandHistory:
    """Demand of the last `span_s` seconds on the settings' grid, gaps as NaN. Raises NoHistory where there is none.

    Rows that may hide demand are gaps, or with `censored` kept and flagged. It is read `settings.backfill_s` at a time.
    """
    step, part = settings.step_s, settings.backfill_s
    rows = round(span_s / step)
    start = (now // step - rows) * step
    values, flags = np.full((rows, len(INDICATORS)), np.nan), np.zeros(rows)
    parts = ceil(rows * step / part)
    for index in range(parts):
        found = await reading.past(resource, now=min(now, start + (index + 1) * part + step))
        if found is not None:
            _lay(values, flags, found, start, step, censored=censored)
        if progress:
            progress((index + 1) / parts)
    if not np.isfinite(values).any():
        told = f"no demand in {_span(rows * step)}; check the name, the source and its labels"
        raise NoHistory(f"--target: {resource.key}: {told}")
    return DemandHistory(start, step, frozen(values), Trust.FRESH, censored=frozen(flags) if censored else None)


def _span(seconds: float) -> str:
    return f"{seconds / DAY_S:g} days" if seconds >= DAY_S else f"{seconds / 3600:.2g} h"


def write_series(history: DemandHistory, path: Path) -> None:
    """The history as CSV; empty cells are gaps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["time", *INDICATORS])
        for i, row in enumerate(history.values.tolist()):
            known = [f"{value:.6g}" if np.isfinite(value) else "" for value in row]
            rows.writerow([f"{history.start + i * history.step:.0f}", *known])


def _lay(values: Floats, flags: Floats, found: DemandHistory, start: float, step: float, *, censored: bool) -> None:
    first = round((found.start - start) / step)
    for i, (row, flag) in enumerate(zip(found.values, found.flags, strict=True)):
        if 0 <= first + i < len(values) and np.isfinite(row).all() and (censored or not flag):
            values[first + i], flags[first + i] = row, flag
