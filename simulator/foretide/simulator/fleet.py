"""A fleet of replicas behind one door: routing, cold starts, draining, and what all of it costs.

Driven from event to event; between two calls of `advance` nothing happens. Requests that find no ready replica wait at
the door. The n-th start of a run takes the same time whatever the policy (common random numbers). `Conditions` say how
replicas start, how many there is room for, and what goes wrong.

Two ways to use it: with a trace and `scale` (replay, demo), or with replicas managed from outside and requests
submitted one by one (the fleet twin). What is NOT promised: that both at once make sense.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf

from foretide.simulator import meter
from foretide.simulator.agenda import Agenda
from foretide.simulator.conditions import QUIET, Conditions
from foretide.simulator.ledger import Ledger, RequestOutcome
from foretide.simulator.member import Member, Observation, PodCounters, Ready
from foretide.simulator.mishaps import Mishaps
from foretide.simulator.orders import Orders
from foretide.simulator.partition import replica_of
from foretide.simulator.profiles import Deployment
from foretide.simulator.replica import Job, Replica
from foretide.simulator.requests import BLOCK_TOKENS, RequestTrace
from foretide.simulator.routing import DEFAULT, router
from foretide.simulator.starts import StartTier

__all__ = ["Fleet", "FleetCounts", "Member", "Observation", "PodCounters", "RequestOutcome", "StartTier"]


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """`desired` are ready and starting; draining ones finish their requests and take no new ones."""

    desired: int
    ready: int
    starting: int
    draining: int
    unschedulable: int = 0
    """Of those starting, the ones that have no node."""


class Fleet:
    """`replicas` are ready at time 0, as far as there are GPUs for them; `routing` is one of routing.NAMES, times in
    `conditions` are on the fleet's clock.

    Raises ValueError for another name, or a request that no replica could ever serve.
    """

    def __init__(
        self,
        *,
        deployment: Deployment,
        trace: RequestTrace,
        replicas: int,
        cold_start: StartTier,
        seed: int,
        gpus_per_replica: int = 1,
        routing: str = DEFAULT,
        conditions: Conditions = QUIET,
    ) -> None:
        self.now = 0.0
        self.members: list[Member] = []
        self._deployment = deployment
        self._gpus = gpus_per_replica
        self._ledger = Ledger(trace, room=deployment.room)
        self._router = router(routing, seed, block_tokens=trace.blocks.tokens if trace.blocks else BLOCK_TOKENS)
        self._ready = Ready()
        self._agenda = Agenda()
        self.mishaps = Mishaps(self, conditions=conditions, seed=seed, agenda=self._agenda)
        self._orders = Orders(
            first_tier=cold_start,
            conditions=conditions,
            seed=seed,
            gpus=gpus_per_replica,
            agenda=self._agenda,
            begins=self.mishaps.begins,
        )
        self._starting = self._orders.starting
        self._events: list[tuple[float, int, Member]] = []
        self._door: deque[Job] = deque()
        self._watched = False
        self._limit: int | None = None
        self.log: list[tuple[Member, Observation]] | None = None
        """Where each finished request is kept for who reads it, beside `observations`; None where nobody does."""
        for _ in range(replicas):
            if not self._orders.has_room(0.0):
                self._order()
                continue
            self.add_replica(f"replica-{len(self.members)}", ready=True)
            self.mishaps.begins(self.members[-1])

    def advance(self, until: float) -> None:
        """Everything that happens up to and including `until`.

        Raises ValueError for an infinite time where conditions see to it that something always happens.
        """
        agenda = self._agenda
        if until == inf and agenda.next_at < inf:
            raise ValueError("until: inf: there is no end to what may happen under these conditions; give a time")
        while agenda.next_at <= until < inf:
            self._serve(agenda.next_at)
            agenda.run_next()
        self._serve(until)

    def _serve(self, until: float) -> None:
        """All but the agenda, up to and including `until`."""
        ledger = self._ledger
        while True:
            arrival = ledger.next_arrival
            self._run(min(arrival, until))
            if arrival > until or arrival == inf:
                break
            self._arrives(arrival)
        self.now = until

    def scale(self, replicas: int) -> None:
        """Orders starts, or takes away: those without a node first, then starting ones, then the idlest."""
        surplus = len(self._ready) + len(self._orders) - replicas
        for _ in range(-surplus):
            self._order()
        for _ in range(min(surplus, len(self._orders))):
            self._orders.call_off(self.now)
            surplus -= 1
        for _ in range(surplus):
            self._drain(self._ready.last_idlest())
        self._orders.place(self.now)

    def submit(self, arrival_s: float, prompt_tokens: int, output_tokens: int) -> int:
        """Adds a request at the end of the trace and gives its index.

        Raises ValueError for one that lies in the past, before an earlier one, or that never fits.
        """
        if arrival_s < self.now:
            raise ValueError(f"arrival_s: {arrival_s}: lies in the past; it is {self.now} already")
        return self._ledger.append(arrival_s, prompt_tokens, output_tokens)

    def add_replica(self, name: str, *, ready: bool) -> None:
        """A replica managed from outside: ready now, or once `mark_ready` says so."""
        member = Member(len(self.members), name, self._engine(), self.now, self.now if ready else inf)
        self.members.append(member)
        self._orders.settle_in(member)
        if ready:
            self._ready.join(member)
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
            member.ready_at = inf
            self.remove(name)
        elif member in self._ready:
            self._drain(member)

    def remove(self, name: str) -> None:
        """Gone at once; its requests in flight are lost and stay unfinished."""
        self._end(self._member(name))

    def crash(self, member: Member) -> list[Job]:
        """Gone at once; its replacement is ordered unless it was to go anyway. Returns the requests it had."""
        replaced, jobs = member in self._ready, member.replica.jobs
        self._end(member)
        if replaced:
            self._order()
        return jobs

    def admit(self, job: Job) -> None:
        """Takes in a request that had come before, now."""
        if self._ready:
            self._route(job, self.now)
        else:
            self._door.append(job)

    def respeed(self, member: Member, factor: float) -> None:
        """Its steps take `factor` times as long as declared, from the next one on."""
        before = member.replica.next_event
        member.replica.respeed(factor, self.now)
        self._replanned(member, before)

    def admit_at_most(self, limit: int, *, canary: tuple[Member, int] | None = None) -> None:
        """So many requests run at once in each replica from now on, those to come included; the canary has its own.

        Raises ValueError below 1, and where GPUs are partitioned.
        """
        self._limit = limit
        for member in self.members:
            if member.gone_at == inf:
                own = canary[1] if canary is not None and canary[0] is member else limit
                before = member.replica.next_event
                member.replica.admit_at_most(own, self.now)
                self._replanned(member, before)

    def counts(self) -> FleetCounts:
        ready, starting = len(self._ready), len(self._orders)
        draining = sum(1 for member in self.members if member.draining and member.gone_at == inf)
        return FleetCounts(ready + starting, ready, starting, draining, self._orders.pending)

    def counters(self) -> dict[str, PodCounters]:
        """By name, of the ready and draining replicas."""
        return {
            member.name: PodCounters.of(member.replica)
            for member in self.members
            if member.ready_at <= self.now and member.gone_at == inf
        }

    def watch(self) -> None:
        """From now on `observations` misses nothing that any replica finishes."""
        self._watched = True
        for member in self.members:
            member.observed = member.observed or []

    def observations(self, name: str) -> list[Observation]:
        """Requests that this replica finished since the last call; the first call only begins to watch."""
        member = self._member(name)
        seen, member.observed = member.observed or [], []
        return seen

    @property
    def ready(self) -> Sequence[Member]:
        """Those that take requests, in the order in which they became ready."""
        return self._ready

    @property
    def at_the_door(self) -> int:
        """Requests that wait because no replica is ready."""
        return len(self._door)

    @property
    def gpu_seconds(self) -> float:
        """GPU time of starting, ready and draining replicas so far; one without a node costs none."""
        return self._gpus * meter.held_s(self.members, self.now)

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
        return self._ledger.outcome(overhead_s=self._deployment.http_overhead_s)

    def _run(self, until: float) -> None:
        """All but arrivals, up to and including `until`."""
        events, starting = self._events, self._starting
        while True:
            happens = events[0][0] if events else inf
            if starting and starting[0].ready_at <= happens:
                if starting[0].ready_at > until or starting[0].ready_at == inf:
                    return
                self._becomes_ready(starting[0])
                continue
            if happens > until or happens == inf:
                return
            member = heappop(events)[2]
            # Otherwise an earlier plan of this replica, cut short since.
            if member.replica.next_event == happens:
                self._proceeds(member)

    def _arrives(self, now: float) -> None:
        job = self._ledger.take()
        if not self._ready:
            if len(self._orders):
                self._ledger.waited_for_a_start(job)
            self._door.append(job)
            return
        self._route(job, now)

    def _route(self, job: Job, now: float) -> None:
        member = self._router.choose(self._ready, job, now)
        replica = member.replica
        before = replica.next_event
        replica.submit(job, now)
        self._ready.recount(member)
        if before == inf:
            member.busy_since = now
        if replica.next_event != before:
            heappush(self._events, (replica.next_event, member.number, member))

    def _proceeds(self, member: Member) -> None:
        replica, at = member.replica, member.replica.next_event
        replica.proceed()
        if replica.done:
            self._finished(member)
        if replica.next_event < inf:
            heappush(self._events, (replica.next_event, member.number, member))
            return
        member.settle(at)
        if member.draining:
            self._leave(member, at)

    def _finished(self, member: Member) -> None:
        for job, at in member.replica.done:
            self._ledger.finished(job, at)
            if member.observed is not None:
                member.observed.append(Observation.of(job, at))
            if self.log is not None:
                self.log.append((member, Observation.of(job, at)))
        member.replica.done.clear()
        self._ready.recount(member)

    def _replanned(self, member: Member, before: float) -> None:
        if member.replica.next_event != before:
            heappush(self._events, (member.replica.next_event, member.number, member))

    def _engine(self) -> Replica:
        replica = replica_of(self._deployment)
        if self._limit is not None:
            replica.admit_at_most(self._limit, self.now)
        return replica

    def _order(self) -> None:
        number = len(self.members)
        member = Member(number, f"replica-{number}", self._engine(), self.now, inf)
        self.members.append(member)
        self._orders.order(member, self.now)

    def _becomes_ready(self, member: Member) -> None:
        self._starting.remove(member)
        self._ready.join(member)
        if self._watched:
            member.observed = []
        for job in self._door:
            self._ledger.waited_for_a_start(job)
        self._let_in(member.ready_at)

    def _let_in(self, now: float | None = None) -> None:
        while self._door:
            job = self._door.popleft()
            job.arrival = self.now if now is None else now  # at the engine, which knows nothing of the door
            self._route(job, job.arrival)

    def _drain(self, member: Member) -> None:
        self._ready.leave(member)
        member.draining = True
        if member.replica.next_event == inf:
            self._leave(member, self.now)

    def _end(self, member: Member) -> None:
        if member in self._starting:
            self._starting.remove(member)
        if member in self._ready:
            self._ready.leave(member)
        member.settle(self.now)
        member.draining = True
        member.replica.next_event = inf
        if member.gone_at == inf:
            self._leave(member, self.now)

    def _leave(self, member: Member, at: float) -> None:
        member.gone_at = at
        self._orders.leave(at)

    def _member(self, name: str) -> Member:
        found = next((member for member in reversed(self.members) if member.name == name), None)
        if found is None:
            raise KeyError(f"no replica is called {name}")
        return found
