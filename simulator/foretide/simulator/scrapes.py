"""The memory of a metric source: what its scrapes brought, and how long it goes on showing it.

A series that no longer comes, because its replica is gone or does not answer, vanishes at once where the source marks
it stale, as Prometheus does when a target leaves or a scrape of it fails. Where nobody marks it (samples that are
pushed on, or carry their own times), its last sample stays visible for `lookback_s`.

What is NOT promised: values between two scrapes.
"""

from collections import deque
from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np

from foretide.policies.demand import EngineSamples
from foretide.policies.flow import Floats, frozen
from foretide.simulator.engine_metrics import EngineHistograms, EngineMetrics, Finished
from foretide.simulator.fleet import Fleet
from foretide.simulator.member import PodCounters

_COLUMNS = ("finished", "running", "waiting", "prompt_tokens", "output_tokens")

Sample = TypeVar("Sample")


class Newest(Generic[Sample]):
    """By replica, the sample that a query shows."""

    def __init__(self, *, lookback_s: float) -> None:
        self._lookback_s = lookback_s
        self._taken_at: dict[str, float] = {}
        self.samples: Mapping[str, Sample] = {}

    def take(self, at: float, samples: Mapping[str, Sample]) -> None:
        """The scrapes of one time, of those that answered."""
        if not self._lookback_s:
            self.samples = samples
            return
        self._taken_at |= dict.fromkeys(samples, at)
        self._taken_at = {name: when for name, when in self._taken_at.items() if at - when < self._lookback_s}
        every = {**self.samples, **samples}
        self.samples = {name: every[name] for name in self._taken_at}


class Scrapes:
    """The counters of every replica over the last `keep_s` seconds."""

    def __init__(self, *, keep_s: float, lookback_s: float = 0.0) -> None:
        self._keep_s = keep_s
        self._taken: deque[tuple[float, Mapping[str, PodCounters]]] = deque()
        self._newest = Newest[PodCounters](lookback_s=lookback_s)
        self.scraped_at: float | None = None
        """When the newest scrape was taken that anybody answered who should have; None before the first."""

    @property
    def newest(self) -> Mapping[str, PodCounters]:
        return self._newest.samples

    def take(self, *, at: float, counters: Mapping[str, PodCounters], missed: bool = False) -> None:
        """What the scrapes of one time brought; `missed` where replicas were there and none of them answered."""
        self._newest.take(at, counters)
        if not missed:
            self.scraped_at = at
        self._taken.append((at, counters))
        while self._taken[0][0] < at - self._keep_s:
            self._taken.popleft()

    def samples(self) -> Mapping[str, EngineSamples]:
        """All that is remembered, by replica; one that is gone stays until its scrapes are forgotten."""
        rows: dict[str, list[tuple[float, ...]]] = {}
        for at, counters in self._taken:
            for name, pod in counters.items():
                rows.setdefault(name, []).append((at, *(float(getattr(pod, column)) for column in _COLUMNS)))
        return {name: _samples(np.array(row)) for name, row in rows.items()}


def _samples(rows: Floats) -> EngineSamples:
    """Engines of the simulator turn nothing away, and say so, as vLLM's API server does."""
    at, finished, running, waiting, prompts, outputs = (frozen(column) for column in rows.T)
    return EngineSamples(at, finished, running, waiting, prompts, outputs, rejected=frozen(np.zeros(len(rows))))


class HistogramScrapes:
    """The histograms of every replica. They cost nothing until somebody asks for them; the engines of the fleet count
    from then on, and the next scrape brings the first of them.
    """

    def __init__(self, fleet: Fleet, *, lookback_s: float = 0.0) -> None:
        self._fleet = fleet
        self._engines: dict[str, EngineMetrics] = {}
        self._newest = Newest[EngineHistograms](lookback_s=lookback_s)
        self._wanted = False

    def newest(self) -> Mapping[str, EngineHistograms]:
        """As of the newest scrape, counted since the first call or the start of the engine."""
        if not self._wanted:
            self._wanted = True
            self._fleet.watch()
        return self._newest.samples

    def take(self, *, at: float, answering: Mapping[str, PodCounters]) -> None:
        """Scrapes those that answer."""
        if not self._wanted:
            return
        for name in answering:
            engine = self._engines.setdefault(name, EngineMetrics())
            engine.add(Finished.of(self._fleet.observations(name)))
        self._newest.take(at, {name: self._engines[name].sample() for name in answering})
