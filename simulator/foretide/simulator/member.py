"""One replica as a member of a fleet: from order to end, and what is seen of it from outside."""

from dataclasses import dataclass
from math import inf, nan

from foretide.simulator.replica import Job, Replica


@dataclass(frozen=True, slots=True)
class PodCounters:
    """One engine's counters, cumulative since its start, and gauges. Tokens are those of finished requests."""

    finished: int
    running: int
    waiting: int
    prompt_tokens: int
    output_tokens: int
    kv_usage: float
    """Share of the KV cache in use, 0-1."""

    @classmethod
    def of(cls, replica: Replica) -> "PodCounters":
        return cls(
            finished=replica.finished,
            running=replica.running,
            waiting=len(replica.waiting),
            prompt_tokens=replica.prompt_tokens,
            output_tokens=replica.output_tokens,
            kv_usage=replica.kv_used / replica.kv_tokens,
        )


@dataclass(frozen=True, slots=True)
class Observation:
    """One finished request of a replica, as an engine would put it into its histograms."""

    ttft_s: float
    tpot_s: float
    e2e_s: float
    prompt_tokens: int
    output_tokens: int

    @classmethod
    def of(cls, job: Job, end: float) -> "Observation":
        later = job.output - 1
        return cls(
            ttft_s=job.first - job.arrival,
            tpot_s=(end - job.first) / later if later else nan,
            e2e_s=end - job.arrival,
            prompt_tokens=job.prompt,
            output_tokens=job.output,
        )


class Member:
    """One replica of the fleet, from order to end. Times in seconds; infinite until they come."""

    __slots__ = (
        "begun_at",
        "busy_s",
        "busy_since",
        "draining",
        "gone_at",
        "name",
        "number",
        "observed",
        "ordered_at",
        "ready_at",
        "replica",
    )

    def __init__(self, number: int, name: str, replica: Replica, ordered_at: float, ready_at: float) -> None:
        self.number = number
        self.name = name
        self.replica = replica
        self.ordered_at = ordered_at
        self.begun_at = inf
        """When it got its node: it costs from then on."""
        self.ready_at = ready_at
        self.gone_at = inf
        self.draining = False
        self.busy_s = 0.0
        self.busy_since = inf
        self.observed: list[Observation] | None = None
        """What it finished since somebody last asked; None while nobody ever did."""

    def settle(self, now: float) -> None:
        """It has nothing to do from now on."""
        if self.busy_since < inf:
            self.busy_s += now - self.busy_since
            self.busy_since = inf
