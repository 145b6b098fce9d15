"""Disaggregated serving: prompts on one pool of replicas, generation on another, KV caches fetched in between.

A request goes to the prefill replica with the fewest outstanding requests. Its first token comes from there: TTFT is
arrival to the end of its prefill, as DistServe counts it. It is then bound to the decode replica with the fewest
outstanding requests, which fetches the cache once it has room for it (first come, first served); until then the
prefill replica holds the memory. Waiting for room and the transfer come before the second token and so count in TPOT.

What is NOT promised: a fetch that begins before the prefill ends, or a cache that moves again once it was fetched; and
any of `Conditions`. Starts have one tier and always find a node, nothing crashes, slows down or goes silent.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf

from foretide.simulator.conditions import QUIET, Conditions
from foretide.simulator.fleet import FleetCounts
from foretide.simulator.job import Job
from foretide.simulator.ledger import Ledger, RequestOutcome
from foretide.simulator.member import PodCounters
from foretide.simulator.pool import Place, Pool
from foretide.simulator.profiles import Deployment
from foretide.simulator.replica import Replica
from foretide.simulator.requests import RequestTrace
from foretide.simulator.roles import DecodeReplica, PrefillReplica
from foretide.simulator.starts import StartTier
from foretide.simulator.transfer import Link

Prefill = Place[PrefillReplica]
Decode = Place[DecodeReplica]
OTHER_POOL = 500_000
"""Added to the seed of the decode pool's starts: two pools have no luck in common."""


@dataclass(frozen=True, slots=True)
class RoleCounts:
    """The same of both pools."""

    prefill: FleetCounts
    decode: FleetCounts


@dataclass(slots=True, eq=False)
class Queue:
    """Caches that one decode replica has to fetch, oldest first."""

    waiting: deque[tuple[Job, Prefill]] = field(default_factory=deque)
    under_way: int = 0


class DisaggregatedFleet:
    """Two pools whose replicas may differ; `prefill` and `decode` are what one replica of each is.

    Raises ValueError for a request that no replica of one of the pools could ever serve, and for any `conditions`
    but quiet ones: two pools know none yet.
    """

    def __init__(  # noqa: PLR0913 (two pools, and what runs on them)
        self,
        *,
        prefill: Deployment,
        decode: Deployment,
        link: Link,
        trace: RequestTrace,
        prefill_replicas: int,
        decode_replicas: int,
        cold_start: StartTier,
        seed: int,
        conditions: Conditions = QUIET,
    ) -> None:
        if conditions != QUIET:
            raise ValueError("conditions: two pools know none yet; leave them out, or take Fleet, which has one pool")
        self.now = 0.0
        self._link = link
        self._overhead_s = prefill.http_overhead_s
        self._ledger = Ledger(trace, room=decode.room)
        longest = int(max(trace.prompt_tokens, default=0))
        if longest > prefill.room:
            raise ValueError(f"kv_tokens: {prefill.room}: a prompt of {longest} tokens never fits; raise it or drop it")
        self.prefill: Pool[PrefillReplica] = Pool(
            role="prefill",
            make=lambda: PrefillReplica(prefill),
            gpus=prefill.profile.tp,
            count=prefill_replicas,
            cold_start=cold_start,
            seed=seed,
        )
        self.decode: Pool[DecodeReplica] = Pool(
            role="decode",
            make=lambda: DecodeReplica(decode),
            gpus=decode.profile.tp,
            count=decode_replicas,
            cold_start=cold_start,
            seed=seed + OTHER_POOL,
        )
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._pushed = 0
        self._door: deque[Job] = deque()
        self._between: deque[tuple[Job, Prefill]] = deque()
        """Prefilled while no decode replica was ready."""
        self._queues: dict[Decode, Queue] = {}

    def advance(self, until: float) -> None:
        """Everything that happens up to and including `until`."""
        ledger = self._ledger
        while True:
            arrival = ledger.next_arrival
            self._run(min(arrival, until))
            if arrival > until or arrival == inf:
                break
            self._arrives(ledger.take())
        self.now = until

    def scale(self, *, prefill: int | None = None, decode: int | None = None) -> None:
        """Sets the number of replicas of a pool, now; None leaves it. Raises ValueError for a negative number."""
        if prefill is not None:
            self.prefill.scale(prefill, self.now)
        if decode is not None:
            self.decode.scale(decode, self.now)

    def counts(self) -> RoleCounts:
        return RoleCounts(self.prefill.counts(), self.decode.counts())

    def counters(self) -> dict[str, PodCounters]:
        """By name, of the ready and draining replicas of both pools."""
        return dict(self.prefill.counters(self.now)) | dict(self.decode.counters(self.now))

    @property
    def gpu_seconds(self) -> float:
        """GPU time of both pools so far."""
        return self.prefill.gpu_seconds(self.now) + self.decode.gpu_seconds(self.now)

    def outcome(self) -> RequestOutcome:
        """What became of the requests that have arrived so far."""
        return self._ledger.outcome(overhead_s=self._overhead_s)

    def _run(self, until: float) -> None:
        events = self._events
        while True:
            starts = min(self.prefill.next_start, self.decode.next_start)
            happens = events[0][0] if events else inf
            if min(starts, happens) > until or min(starts, happens) == inf:
                return
            if starts <= happens:
                self._starts(starts)
            else:
                at, _, act = heappop(events)
                act(at)

    def _starts(self, now: float) -> None:
        if self.prefill.next_start == now:
            self.prefill.start()
            for job in self._door:
                self._ledger.waited_for_a_start(job)
            while self._door:
                self._to_prefill(self._door.popleft(), now)
        else:
            self.decode.start()
            while self._between:
                self._hand_over(*self._between.popleft(), now)

    def _arrives(self, job: Job) -> None:
        if self.prefill.idlest() is None:
            if self.prefill.starting:
                self._ledger.waited_for_a_start(job)
            self._door.append(job)
            return
        self._to_prefill(job, job.arrival)

    def _to_prefill(self, job: Job, now: float) -> None:
        place = self.prefill.idlest()
        if place is not None:
            before = place.replica.next_event
            place.replica.submit(job, now)
            self._follow_prefill(place, before)

    def _prefills(self, place: Prefill, now: float) -> None:
        replica = place.replica
        replica.proceed()
        self._finished(replica)
        handed, replica.handed = replica.handed, []
        place.owed += len(handed)
        for job in handed:
            self._hand_over(job, place, now)
        self._follow_prefill(place, now)
        place.rest(now)

    def _hand_over(self, job: Job, source: Prefill, now: float) -> None:
        place = self.decode.idlest()
        if place is None:
            self._between.append((job, source))
            return
        place.owed += 1
        self._queues.setdefault(place, Queue()).waiting.append((job, source))
        self._fetch(place, now)

    def _fetch(self, place: Decode, now: float) -> None:
        """Begins what the link and the memory allow."""
        queue = self._queues.get(place)
        while queue and queue.waiting and not (self._link.serial and queue.under_way):
            job, source = queue.waiting[0]
            if not place.replica.reserve(job):
                return
            queue.waiting.popleft()
            queue.under_way += 1
            place.owed -= 1
            self._push(now + self._link.seconds(job.prompt), self._arrival(queue, place, job, source))

    def _arrival(self, queue: Queue, place: Decode, job: Job, source: Prefill) -> Callable[[float], None]:
        def arrived(now: float) -> None:
            queue.under_way -= 1
            source.owed -= 1
            before = source.replica.next_event
            source.replica.let_go(job, now)
            self._follow_prefill(source, before)
            source.rest(now)
            before = place.replica.next_event
            place.replica.join(job, now)
            self._follow_decode(place, before)
            self._fetch(place, now)

        return arrived

    def _decodes(self, place: Decode, now: float) -> None:
        place.replica.proceed()
        self._finished(place.replica)
        self._fetch(place, now)
        self._follow_decode(place, now)
        place.rest(now)

    def _finished(self, replica: Replica) -> None:
        for job, at in replica.done:
            self._ledger.finished(job, at)
        replica.done.clear()

    def _follow_prefill(self, place: Prefill, before: float) -> None:
        self._follow(place.replica, before, lambda now: self._prefills(place, now))

    def _follow_decode(self, place: Decode, before: float) -> None:
        self._follow(place.replica, before, lambda now: self._decodes(place, now))

    def _follow(self, replica: Replica, before: float, act: Callable[[float], None]) -> None:
        """Notes the replica's next event where it has changed; an earlier plan then comes to nothing."""
        at = replica.next_event
        if at != before and at < inf:
            self._push(at, lambda now: act(now) if replica.next_event == now else None)

    def _push(self, at: float, act: Callable[[float], None]) -> None:
        self._pushed += 1
        heappush(self._events, (at, self._pushed, act))
