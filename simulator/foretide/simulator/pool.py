"""The replicas of one role: ordered, starting, ready, draining, gone, and what they cost.

What is NOT promised: routing other than to the fewest outstanding requests, or starts that fail or wait for a node.
"""

from collections.abc import Callable, Iterator
from math import inf
from typing import Generic, TypeVar

from foretide.simulator.fleet import FleetCounts
from foretide.simulator.member import PodCounters
from foretide.simulator.replica import Replica
from foretide.simulator.starts import StartTier

R = TypeVar("R", bound=Replica)


class Place(Generic[R]):
    """One replica of a pool. Times in seconds; infinite until they come."""

    __slots__ = ("draining", "gone_at", "name", "ordered_at", "owed", "ready_at", "replica")

    def __init__(self, name: str, replica: R, *, ordered_at: float, ready_at: float) -> None:
        self.name = name
        self.replica = replica
        self.ordered_at = ordered_at
        self.ready_at = ready_at
        self.gone_at = inf
        self.draining = False
        self.owed = 0
        """Requests that it still has a part in beside those in its replica."""

    @property
    def outstanding(self) -> int:
        return self.replica.outstanding + self.owed

    def rest(self, now: float) -> None:
        """A draining replica is gone once nothing is left to do."""
        if self.draining and self.gone_at == inf and not self.owed and self.replica.next_event == inf:
            self.gone_at = now


class Pool(Generic[R]):
    """`count` replicas are ready at time 0. The n-th start takes the same time in every run with the same seed."""

    def __init__(
        self, *, role: str, make: Callable[[], R], gpus: int, count: int, cold_start: StartTier, seed: int
    ) -> None:
        self.places: list[Place[R]] = []
        self._role = role
        self._make = make
        self._gpus = gpus
        self._cold_start = cold_start
        self._seed = seed
        self._ordinal = 0
        self._ready: list[Place[R]] = []
        self._starting: list[Place[R]] = []
        for _ in range(count):
            self._ready.append(self._place(ordered_at=0.0, ready_at=0.0))

    @property
    def next_start(self) -> float:
        """When the next starting replica is ready; infinite without one."""
        return self._starting[0].ready_at if self._starting else inf

    @property
    def starting(self) -> bool:
        return bool(self._starting)

    def start(self) -> None:
        """The next starting replica is ready."""
        self._ready.append(self._starting.pop(0))

    def idlest(self) -> Place[R] | None:
        """The ready replica with the fewest outstanding requests; None without one."""
        return min(self._ready, key=_outstanding, default=None)

    def scale(self, replicas: int, now: float) -> None:
        """Orders starts, or takes away: starting replicas first, then those with the fewest outstanding requests.

        Raises ValueError for a negative number.
        """
        if replicas < 0:
            raise ValueError(f"{self._role}: {replicas}: give a number of replicas from 0 on")
        surplus = len(self._ready) + len(self._starting) - replicas
        for _ in range(-surplus):
            self._order(now)
        for _ in range(surplus):
            if self._starting:
                place = self._starting.pop()
                place.gone_at, place.ready_at = now, inf
            else:
                place = min(reversed(self._ready), key=_outstanding)
                self._ready.remove(place)
                place.draining = True
                place.rest(now)

    def counts(self) -> FleetCounts:
        ready, starting = len(self._ready), len(self._starting)
        draining = sum(1 for place in self.places if place.draining and place.gone_at == inf)
        return FleetCounts(ready + starting, ready, starting, draining)

    def counters(self, now: float) -> Iterator[tuple[str, PodCounters]]:
        """By name, of the ready and draining replicas."""
        for place in self.places:
            if place.ready_at <= now and place.gone_at == inf:
                yield place.name, PodCounters.of(place.replica)

    def gpu_seconds(self, now: float) -> float:
        """GPU time of starting, ready and draining replicas so far."""
        return self._gpus * sum(min(place.gone_at, now) - place.ordered_at for place in self.places)

    def _order(self, now: float) -> None:
        seconds = self._cold_start.start_s(ordinal=self._ordinal, seed=self._seed)
        self._ordinal += 1
        self._starting.append(self._place(ordered_at=now, ready_at=now + seconds))
        self._starting.sort(key=_ready_at)

    def _place(self, *, ordered_at: float, ready_at: float) -> Place[R]:
        place = Place(f"{self._role}-{len(self.places)}", self._make(), ordered_at=ordered_at, ready_at=ready_at)
        self.places.append(place)
        return place


def _outstanding(place: Place[R]) -> int:
    return place.outstanding


def _ready_at(place: Place[R]) -> float:
    return place.ready_at
