"""What an autoscaler sees and says: the same seam for Foretide and for its rivals.

A view holds what a policy sees in life: scraped counters, counts of pods, starts that were observed. The truth about
demand and about requests is not in it.

What is NOT promised: that a view is fresh. Its newest scrape is as old as the scrape interval allows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from foretide.policies.demand import EngineSamples
from foretide.policies.flow import Decision, Evidence
from foretide.simulator.engine_metrics import EngineHistograms
from foretide.simulator.fleet import PodCounters

Gauge = Literal["running", "waiting"]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One look at the fleet from outside. Times are seconds of the trace's clock."""

    now: float
    desired: int
    ready: int
    starting: int
    """Pods that exist and are not ready, those without a node included."""
    scraped_at: float | None
    """When the newest scrape was taken; None before the first."""
    newest: Mapping[str, PodCounters]
    """Counters by replica, as of the newest scrape."""
    samples: Callable[[], Mapping[str, EngineSamples]]
    """The scrapes of the last minutes by replica; built when asked for."""
    starts: tuple[float, ...] = ()
    """Seconds from order to readiness of each start that has ended, in the order in which they ended."""
    unschedulable: int = 0
    """Of those starting, the pods that no node has room for."""
    histograms: Callable[[], Mapping[str, EngineHistograms]] = dict
    """vLLM's histograms by replica, as of the newest scrape. The first call has them counted; later scrapes show."""

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
