"""What an autoscaler sees and says: the same seam for Foretide and for its rivals.

A view holds what a policy sees in life: scraped counters, counts of pods, starts that were observed. The truth about
demand and about requests is not in it.

What is NOT promised: that a view is fresh. Its newest scrape is as old as the scrape interval allows.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from foretide.policies.demand import EngineSamples
from foretide.policies.flow import Decision, Evidence, frozen
from foretide.simulator.fleet import PodCounters

Gauge = Literal["running", "waiting"]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One look at the fleet from outside. Times are seconds of the trace's clock."""

    now: float
    desired: int
    ready: int
    starting: int
    scraped_at: float | None
    """When the newest scrape was taken; None before the first."""
    newest: Mapping[str, PodCounters]
    """Counters by replica, as of the newest scrape."""
    samples: Callable[[], Mapping[str, EngineSamples]]
    """The scrapes of the last minutes by replica; built when asked for."""
    starts: tuple[float, ...] = ()
    """Seconds from order to readiness of each start that has ended, in the order in which they ended."""

    def total(self, gauge: Gauge) -> float | None:
        """Sum over all replicas in the newest scrape; None when nothing was scraped."""
        if self.scraped_at is None or not self.newest:
            return None
        return float(sum(getattr(pod, gauge) for pod in self.newest.values()))


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What an autoscaler wants: a count, or None for no action; a reason in one word and in words."""

    replicas: int | None
    code: str
    text: str
    evidence: Evidence | None = None
    decision: Decision | None = None
    planned: bool = True
    """False for a fast pass, whose run time says nothing about that of a plan."""


class Autoscaler(Protocol):
    """One policy in one run: it lives as long as the run and is not used again."""

    @property
    def name(self) -> str: ...

    @property
    def interval_s(self) -> float:
        """Seconds between two calls of `decide`."""
        ...

    @property
    def begins_with(self) -> int | None:
        """Replicas that are ready when the run begins; None for the number that every policy begins with."""
        ...

    def decide(self, view: View) -> Choice: ...


_COLUMNS = ("finished", "running", "waiting", "prompt_tokens", "output_tokens")


class Scrapes:
    """The memory of a metric source: the counters of every replica over the last `keep_s` seconds."""

    def __init__(self, *, keep_s: float) -> None:
        self._keep_s = keep_s
        self._taken: deque[tuple[float, Mapping[str, PodCounters]]] = deque()

    @property
    def scraped_at(self) -> float | None:
        return self._taken[-1][0] if self._taken else None

    @property
    def newest(self) -> Mapping[str, PodCounters]:
        return self._taken[-1][1] if self._taken else {}

    def take(self, *, at: float, counters: Mapping[str, PodCounters]) -> None:
        self._taken.append((at, counters))
        while self._taken[0][0] < at - self._keep_s:
            self._taken.popleft()

    def samples(self) -> Mapping[str, EngineSamples]:
        """All that is remembered, by replica; one that is gone stays until its scrapes are forgotten."""
        rows: dict[str, list[tuple[float, ...]]] = {}
        for at, counters in self._taken:
            for name, pod in counters.items():
                rows.setdefault(name, []).append((at, *(float(getattr(pod, column)) for column in _COLUMNS)))
        return {name: EngineSamples(*(frozen(column) for column in np.array(row).T)) for name, row in rows.items()}
