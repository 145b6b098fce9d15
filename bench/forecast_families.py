"""The series of docs/benchmarks/forecasts.md and the terms under which each family is run.

All are real records behind FORETIDE_DATA; none of their test parts chose a setting. Fisher, NASA and the Twitter counts
are for evaluation alone: nothing that ships was trained on them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.protocol import Protocol, harmony
from foretide.forecaster.evaluate.read import read_series

DATA = Path(os.environ.get("FORETIDE_DATA", Path(__file__).parents[2] / "shared/data")) / "series"
FISHER = (
    "load",
    "blkio.throttle.io_service_bytes_Async",
    "blkio.throttle.io_service_bytes_Read",
    "container_cpu_usage_seconds_total",
    "container_memory_active_file",
    "container_memory_hierarchical_memory_limit",
    "container_memory_rss",
    "container_network_tcp_TimeWait",
    "cpu.busy",
    "mem.memused",
    "net.if.in.bytes",
)
MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Family:
    """One table of the page. `history` rows are all that a model sees before an origin; 0 is no limit."""

    name: str
    title: str
    series: Callable[[], list[Series]]
    protocol: Protocol
    history: int = 0


def fisher() -> list[Series]:
    path = DATA / "fisher_containers_10min.parquet"
    found = read_series(path, time="date", columns=FISHER, group="container").series
    return [replace(each, group=f"fisher-{each.group}") for each in found]


def minute() -> list[Series]:
    files = (
        ("twitter", "twitter_stream_1min.csv.gz", "minute", "messages"),
        ("nasa", "nasa_http_requests_1min.csv.gz", "timestamp", "requests"),
        ("burstgpt-tokens", "burstgpt_week1_tokens_1min.csv.gz", "minute", "total_tokens_per_s"),
    )
    return [
        replace(read_series(DATA / file, time=time, columns=[column]).series[0], group=name)
        for name, file, time, column in files
    ]


def servegen() -> list[Series]:
    """Requests/s of the two language models with 14 days; hours that were not collected are gaps."""
    found = read_series(
        DATA / "servegen_demand_10min.csv.gz", time="window_start_s", columns=["rate_rps", "gap"], group="model"
    ).series
    return [
        replace(
            each,
            group=f"servegen-{each.group}",
            columns=("rate_rps",),
            values=np.where(each.values[:, 1:] > 0, np.nan, each.values[:, :1]),
        )
        for each in found
        if len(each.values) > 1000
    ]


FAMILIES = (
    Family("fisher", "Fisher containers, HARMONY's protocol", fisher, harmony(Protocol(context=72, horizon=1))),
    Family("minute-15", "Minute series, 15 minutes ahead", minute, Protocol(context=MINUTES, horizon=15)),
    Family("minute-30", "Minute series, 30 minutes ahead", minute, Protocol(context=MINUTES, horizon=30)),
    Family("servegen-36", "ServeGen demand, 6 hours ahead by 10 minutes", servegen, Protocol(context=288, horizon=36)),
    Family("young-10min", "Ten minutes of history", minute, Protocol(context=10, horizon=15, every=97), history=10),
    Family("young-2h", "Two hours of history", minute, Protocol(context=120, horizon=15, every=97), history=120),
    Family("young-1d", "One day of history", minute, Protocol(context=MINUTES, horizon=15, every=97), history=MINUTES),
)
