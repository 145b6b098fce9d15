"""Views made by hand: what an autoscaler would see, of which a test names only what it is about."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from foretide.policies.demand import EngineSamples
from foretide.policies.flow import frozen
from foretide.simulator.autoscaler import View
from foretide.simulator.fleet import PodCounters


def pod(*, running: int = 0, waiting: int = 0, kv_usage: float = 0.0) -> PodCounters:
    return PodCounters(0, running, waiting, 0, 0, kv_usage)


def view(
    *pods: PodCounters,
    now: float = 0.0,
    ready: int | None = None,
    starting: int = 0,
    scraped_at: float | None = None,
    samples: Mapping[str, EngineSamples] | None = None,
) -> View:
    """Scraped now, unless told otherwise; as many ready replicas as there are pods."""
    count = len(pods) if ready is None else ready
    newest = MappingProxyType({f"replica-{i}": each for i, each in enumerate(pods)})
    at = scraped_at if scraped_at is not None else (now if pods else None)
    return View(now, count + starting, count, starting, at, newest, lambda: samples or {})


def steady_pod(
    rate: float, *, until: float, since: float = 0.0, every: float = 15.0, prompt: float = 1000.0, output: float = 200.0
) -> EngineSamples:
    """Scrapes of a replica that finishes `rate` requests/s of one length, nothing in flight."""
    at = np.arange(since, until + 1e-9, every)
    done = rate * (at - since)
    idle = frozen(np.zeros_like(at))
    return EngineSamples(frozen(at), frozen(done), idle, idle, frozen(done * prompt), frozen(done * output))


def moments(start: float, end: float, step: float) -> Sequence[float]:
    return [float(at) for at in np.arange(start, end, step)]
