"""One replica as a member of a fleet: from order to end, and what is seen of it from outside."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import overload

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
        "outstanding",
        "place",
        "ready_at",
        "replica",
        "tier",
    )

    def __init__(self, number: int, name: str, replica: Replica, ordered_at: float, ready_at: float) -> None:
        self.number = number
        self.name = name
        self.replica = replica
        self.ordered_at = ordered_at
        self.begun_at = inf
        """When it got its node: it costs from then on."""
        self.ready_at = ready_at
        self.tier = ""
        """Name of the tier that it starts from; empty where none is named, and for one that was there."""
        self.gone_at = inf
        self.draining = False
        self.outstanding = 0
        """Requests that run or wait in its replica, as `Ready` last counted them."""
        self.place = 0
        """Its bit among the ready; 0 while it is not one of them."""
        self.busy_s = 0.0
        self.busy_since = inf
        self.observed: list[Observation] | None = None
        """What it finished since somebody last asked; None while nobody ever did."""

    def busy_until(self, now: float) -> float:
        """Seconds in which it had at least one request, up to now."""
        return self.busy_s + max(0.0, now - self.busy_since)

    def settle(self, now: float) -> None:
        """It has nothing to do from now on."""
        if self.busy_since < inf:
            self.busy_s += now - self.busy_since
            self.busy_since = inf


class Ready(Sequence[Member]):
    """The members that take requests, in the order in which they became ready.

    Knows the least loaded at once: for every number of outstanding requests it keeps the members that have so many as
    the bits of one whole number, the first member in the lowest. Whoever changes what is outstanding calls `recount`.
    """

    __slots__ = ("_having", "_least", "_members", "changes")

    def __init__(self) -> None:
        self.changes = 0
        """How often a member has joined or left."""
        self._members: list[Member] = []
        self._having: list[int] = []
        """Number of outstanding requests -> members that have so many, as bits."""
        self._least = 0
        """No member has fewer outstanding requests than this."""

    @overload
    def __getitem__(self, index: int) -> Member: ...

    @overload
    def __getitem__(self, index: slice) -> list[Member]: ...

    def __getitem__(self, index: int | slice) -> Member | list[Member]:
        return self._members[index]

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members)

    def join(self, member: Member) -> None:
        self._members.append(member)
        self._sort()

    def leave(self, member: Member) -> None:
        self._members.remove(member)
        member.place = 0
        self._sort()

    def recount(self, member: Member) -> None:
        """Takes in how many requests are outstanding at this member; one that is not ready is passed over."""
        if not member.place:
            return
        having, now = self._having, member.replica.outstanding
        having[member.outstanding] ^= member.place
        while now >= len(having):
            having.append(0)
        having[now] |= member.place
        member.outstanding = now
        self._least = min(self._least, now)
        while not having[self._least]:
            self._least += 1

    def first_idlest(self) -> Member:
        """The member with the fewest outstanding requests, the first among equals. Raises IndexError without any."""
        idlest = self._having[self._least]
        return self._members[(idlest & -idlest).bit_length() - 1]

    def last_idlest(self) -> Member:
        """The same, the last among equals."""
        return self._members[self._having[self._least].bit_length() - 1]

    def _sort(self) -> None:
        self.changes += 1
        self._having, self._least = [], 0
        for position, member in enumerate(self._members):
            member.place, member.outstanding = 1 << position, member.replica.outstanding
            self._having += [0] * (member.outstanding + 1 - len(self._having))
            self._having[member.outstanding] |= member.place
        while self._having and not self._having[self._least]:
            self._least += 1
