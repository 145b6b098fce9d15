"""A fleet of replicas behind one door: least-outstanding routing, cold starts, draining, and what all of it costs.

Driven from event to event; between two calls of `advance` nothing happens. Requests that find no ready replica wait at
the door. The n-th start of a run takes the same time whatever the policy (common random numbers).

Two ways to use it: with a trace and `scale` (replay, demo), or with replicas managed from outside and requests
submitted one by one (the fleet twin). What is NOT promised: that both at once make sense.
"""

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from math import exp, inf, nan

import numpy as np

from foretide.policies.flow import Floats, frozen
from foretide.simulator.profiles import Deployment
from foretide.simulator.replica import Job, Replica
from foretide.simulator.requests import RequestTrace


@dataclass(frozen=True, slots=True)
class StartTier:
    """A lognormal cold start: median in seconds, sigma of the log."""

    median_s: float
    sigma: float


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """`desired` are ready and starting; draining ones finish their requests and take no new ones."""

    desired: int
    ready: int
    starting: int
    draining: int


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


@dataclass(frozen=True, slots=True, eq=False)
class RequestOutcome:
    """What became of each request, in order of arrival: seconds, NaN where unfinished; no TPOT for a single token."""

    arrival_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats
    cold_started: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """True where it waited at the door for a starting replica."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One finished request of a replica, as an engine would put it into its histograms."""

    ttft_s: float
    tpot_s: float
    e2e_s: float
    prompt_tokens: int
    output_tokens: int


class Member:
    """One replica of the fleet, from order to end. Times in seconds; infinite until they come."""

    __slots__ = (
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
        self.ready_at = ready_at
        self.gone_at = inf
        self.draining = False
        self.busy_s = 0.0
        self.busy_since = inf
        self.observed: list[Observation] | None = None
        """What it finished since somebody last asked; None while nobody ever did."""


class Fleet:
    """`replicas` are ready at time 0. Raises ValueError for a request that no replica could ever hold."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        trace: RequestTrace,
        replicas: int,
        cold_start: StartTier,
        seed: int,
        gpus_per_replica: int = 1,
    ) -> None:
        self.now = 0.0
        self.members: list[Member] = []
        self._deployment = deployment
        self._cold_start = cold_start
        self._seed = seed
        self._gpus = gpus_per_replica
        self._arrivals: list[float] = trace.arrival_s.tolist()
        self._prompts: list[int] = trace.prompt_tokens.tolist()
        self._outputs: list[int] = trace.output_tokens.tolist()
        self._blocks = trace.blocks if deployment.prefix_cache else None
        self._refuse_what_never_fits(self._prompts, self._outputs)
        count = len(self._arrivals)
        self._first, self._end, self._cold = [nan] * count, [nan] * count, [False] * count
        self._next = 0
        self._ready: list[Member] = []
        self._starting: list[Member] = []
        self._events: list[tuple[float, int, Member]] = []
        self._ordinal = 0
        self._door: deque[Job] = deque()
        for _ in range(replicas):
            self.add_replica(f"replica-{len(self.members)}", ready=True)

    def advance(self, until: float) -> None:
        """Everything that happens up to and including `until`."""
        arrivals, events, count = self._arrivals, self._events, len(self._arrivals)
        while True:
            arrival = arrivals[self._next] if self._next < count else inf
            limit = min(arrival, until)
            while True:
                begins = self._starting[0].ready_at if self._starting else inf
                happens = events[0][0] if events else inf
                if min(begins, happens) == inf or min(begins, happens) > limit:
                    break
                if begins <= happens:
                    self._becomes_ready(self._starting[0])
                else:
                    self._happens(*heappop(events))
            if arrival > until or arrival == inf:
                break
            self._arrives(arrival)
        self.now = until

    def scale(self, replicas: int) -> None:
        """Orders starts, or takes away: starting replicas first, then those with the fewest outstanding requests."""
        surplus = len(self._ready) + len(self._starting) - replicas
        for _ in range(-surplus):
            self._order()
        for _ in range(min(surplus, len(self._starting))):
            self._call_off(self._starting[-1])
            surplus -= 1
        for _ in range(surplus):
            self._drain(min(reversed(self._ready), key=_outstanding))

    def submit(self, arrival_s: float, prompt_tokens: int, output_tokens: int) -> int:
        """Adds a request at the end of the trace and gives its index.

        Raises ValueError for one that lies in the past, before an earlier one, or that never fits.
        """
        if arrival_s < self.now:
            raise ValueError(f"arrival_s: {arrival_s}: lies in the past; it is {self.now} already")
        if self._arrivals and arrival_s < self._arrivals[-1]:
            raise ValueError(f"arrival_s: {arrival_s}: lies before the newest arrival at {self._arrivals[-1]}")
        self._refuse_what_never_fits([prompt_tokens], [output_tokens])
        self._arrivals.append(arrival_s)
        self._prompts.append(prompt_tokens)
        self._outputs.append(output_tokens)
        self._first.append(nan)
        self._end.append(nan)
        self._cold.append(False)
        return len(self._arrivals) - 1

    def add_replica(self, name: str, *, ready: bool) -> None:
        """A replica managed from outside: ready now, or once `mark_ready` says so."""
        member = Member(len(self.members), name, Replica(self._deployment), self.now, self.now if ready else inf)
        self.members.append(member)
        if ready:
            self._ready.append(member)
            self._let_in()
        else:
            self._starting.append(member)

    def mark_ready(self, name: str) -> None:
        member = self._member(name)
        if member in self._starting:
            member.ready_at = self.now
            self._becomes_ready(member)

    def drain(self, name: str) -> None:
        """No new requests; gone once the present ones are finished."""
        member = self._member(name)
        if member in self._starting:
            self._call_off(member)
        elif member in self._ready:
            self._drain(member)

    def remove(self, name: str) -> None:
        """Gone at once; its requests in flight are lost and stay unfinished."""
        member = self._member(name)
        for group in (self._ready, self._starting):
            if member in group:
                group.remove(member)
        self._settle(member, self.now)
        member.draining = True
        member.gone_at = min(member.gone_at, self.now)
        member.replica.next_event = inf

    def counts(self) -> FleetCounts:
        ready, starting = len(self._ready), len(self._starting)
        draining = sum(1 for member in self.members if member.draining and member.gone_at == inf)
        return FleetCounts(ready + starting, ready, starting, draining)

    def counters(self) -> dict[str, PodCounters]:
        """By name, of the ready and draining replicas."""
        return {
            member.name: _counters(member.replica)
            for member in self.members
            if member.ready_at <= self.now and member.gone_at == inf
        }

    def observations(self, name: str) -> list[Observation]:
        """Requests that this replica finished since the last call; the first call only begins to watch."""
        member = self._member(name)
        seen, member.observed = member.observed or [], []
        return seen

    @property
    def at_the_door(self) -> int:
        """Requests that wait because no replica is ready."""
        return len(self._door)

    @property
    def gpu_seconds(self) -> float:
        """GPU time of starting, ready and draining replicas so far."""
        return self._gpus * sum(min(member.gone_at, self.now) - member.ordered_at for member in self.members)

    @property
    def starts(self) -> list[tuple[float, float]]:
        """(ordered, ready) of every ordered start that has ended."""
        return [
            (member.ordered_at, member.ready_at)
            for member in self.members
            if member.ordered_at < member.ready_at <= self.now
        ]

    def outcome(self) -> RequestOutcome:
        """What became of the requests that have arrived so far."""
        count = self._next
        arrival, first, end = (np.array(column[:count]) for column in (self._arrivals, self._first, self._end))
        later = np.array(self._outputs[:count], dtype=np.float64) - 1.0
        overhead = self._deployment.http_overhead_s
        return RequestOutcome(
            arrival_s=frozen(arrival),
            ttft_s=frozen(first - arrival + overhead),
            tpot_s=frozen(np.where(later > 0, (end - first) / np.maximum(later, 1.0), np.nan)),
            e2e_s=frozen(end - arrival + overhead),
            cold_started=np.array(self._cold[:count], dtype=np.bool_),
        )

    def _arrives(self, now: float) -> None:
        index = self._next
        self._next += 1
        job = Job(index, now, self._prompts[index], self._outputs[index])
        if self._blocks is not None and index < len(self._blocks):
            job.blocks, job.hash_tokens = tuple(self._blocks.of(index).tolist()), self._blocks.tokens
        if not self._ready:
            self._cold[index] = bool(self._starting)
            self._door.append(job)
            return
        self._route(job, now)

    def _route(self, job: Job, now: float) -> None:
        member = min(self._ready, key=_outstanding) if len(self._ready) > 1 else self._ready[0]
        replica = member.replica
        before = replica.next_event
        replica.submit(job, now)
        if before == inf:
            member.busy_since = now
        if replica.next_event != before:
            heappush(self._events, (replica.next_event, member.number, member))

    def _happens(self, at: float, _: int, member: Member) -> None:
        replica = member.replica
        if replica.next_event != at:
            return  # an earlier plan of this replica, cut short since
        replica.proceed()
        if replica.done:
            self._finished(member)
        if replica.next_event < inf:
            heappush(self._events, (replica.next_event, member.number, member))
            return
        self._settle(member, at)
        if member.draining:
            member.gone_at = at

    def _finished(self, member: Member) -> None:
        first, end = self._first, self._end
        for job, at in member.replica.done:
            first[job.index], end[job.index] = job.first, at
            if member.observed is not None:
                member.observed.append(_observation(job, at))
        member.replica.done.clear()

    def _order(self) -> None:
        normal = float(np.random.default_rng((self._seed, self._ordinal)).standard_normal())
        self._ordinal += 1
        seconds = self._cold_start.median_s * exp(self._cold_start.sigma * normal)
        number = len(self.members)
        member = Member(number, f"replica-{number}", Replica(self._deployment), self.now, self.now + seconds)
        self.members.append(member)
        self._starting.append(member)
        self._starting.sort(key=_ready_at)

    def _becomes_ready(self, member: Member) -> None:
        self._starting.remove(member)
        self._ready.append(member)
        for job in self._door:
            self._cold[job.index] = True
        self._let_in(member.ready_at)

    def _let_in(self, now: float | None = None) -> None:
        while self._door:
            job = self._door.popleft()
            self._route(job, self.now if now is None else now)

    def _call_off(self, member: Member) -> None:
        self._starting.remove(member)
        member.gone_at, member.ready_at = self.now, inf

    def _drain(self, member: Member) -> None:
        self._ready.remove(member)
        member.draining = True
        if member.replica.next_event == inf:
            member.gone_at = self.now

    def _settle(self, member: Member, now: float) -> None:
        if member.busy_since < inf:
            member.busy_s += now - member.busy_since
            member.busy_since = inf

    def _member(self, name: str) -> Member:
        found = next((member for member in reversed(self.members) if member.name == name), None)
        if found is None:
            raise KeyError(f"no replica is called {name}")
        return found

    def _refuse_what_never_fits(self, prompts: list[int], outputs: list[int]) -> None:
        room = self._deployment.kv_room
        for prompt, output in zip(prompts, outputs, strict=True):
            if prompt + output > room:
                never = f"a request of {prompt} + {output} tokens never fits"
                raise ValueError(f"kv_tokens: {room}: {never}; raise it or drop the request")


def _observation(job: Job, end: float) -> Observation:
    later = job.output - 1
    return Observation(
        ttft_s=job.first - job.arrival,
        tpot_s=(end - job.first) / later if later else nan,
        e2e_s=end - job.arrival,
        prompt_tokens=job.prompt,
        output_tokens=job.output,
    )


def _outstanding(member: Member) -> int:
    return member.replica.outstanding


def _ready_at(member: Member) -> float:
    return member.ready_at


def _counters(replica: Replica) -> PodCounters:
    return PodCounters(
        finished=replica.finished,
        running=replica.running,
        waiting=len(replica.waiting),
        prompt_tokens=replica.prompt_tokens,
        output_tokens=replica.output_tokens,
        kv_usage=replica.kv_used / replica.kv_tokens,
    )
