"""What befalls the replicas of a fleet: crashes by chance or by script, and silent slowdowns.

A crashed replica is gone at once. A replacement is ordered, as a Deployment would; its requests are lost, or sent again
by their clients after a while, to begin from the first token. The times and the victims of a run with the same seed are
the same whatever the policy, as far as the replicas are: the n-th replica has the same life.

What is NOT promised: that a replica comes back. A container that restarts in its pod is not simulated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from foretide.simulator.agenda import Agenda
from foretide.simulator.conditions import Conditions
from foretide.simulator.faults import Crash, Slowdown, slowed
from foretide.simulator.job import Job
from foretide.simulator.member import Member


@dataclass(frozen=True, slots=True)
class Harm:
    """What crashes have done so far."""

    crashes: int = 0
    """Replicas that crashed."""
    lost: int = 0
    """Requests that went with them for good."""
    resent: int = 0
    """Requests sent again after a crash; one may be sent several times."""


class Hit(Protocol):
    """The fleet, as far as it can be hurt."""

    now: float
    members: list[Member]

    @property
    def ready(self) -> Sequence[Member]: ...

    def crash(self, member: Member) -> list[Job]:
        """Ends it, orders another one, and gives the requests that it had."""
        ...

    def admit(self, job: Job) -> None:
        """Takes a request in once more."""
        ...

    def respeed(self, member: Member, factor: float) -> None:
        """Steps take `factor` times as long as declared, from the next one on."""
        ...


class Mishaps:
    """Puts its errands on the fleet's agenda, and counts."""

    __slots__ = ("_agenda", "_conditions", "_fleet", "_seed", "harm")

    def __init__(self, fleet: Hit, *, conditions: Conditions, seed: int, agenda: Agenda) -> None:
        self._fleet, self._conditions, self._seed, self._agenda = fleet, conditions, seed, agenda
        self.harm = Harm()
        for fault in conditions.faults:
            if isinstance(fault, Slowdown):
                agenda.put(fault.at, self._respeed)
                agenda.put(fault.until, self._respeed)
            elif isinstance(fault, Crash):
                agenda.put(fault.at, partial(self._crash_oldest, fault.replicas))

    def begins(self, member: Member) -> None:
        """It has a node and will be ready at a known time; from then on it may die."""
        self._slow(member)
        life_s = self._conditions.failures.life_s(number=member.number, seed=self._seed)
        self._agenda.put(member.ready_at + life_s, partial(self._dies, member))

    def _dies(self, member: Member) -> None:
        if member.gone_at > self._fleet.now:
            self._crash(member)

    def _crash_oldest(self, replicas: int) -> None:
        for member in sorted(self._fleet.ready, key=_number)[:replicas]:
            self._crash(member)

    def _crash(self, member: Member) -> None:
        jobs, retry_s = self._fleet.crash(member), self._conditions.failures.retry_s
        lost = len(jobs) if retry_s is None else 0
        self.harm = replace(self.harm, crashes=self.harm.crashes + 1, lost=self.harm.lost + lost)
        if retry_s is None:
            return
        for job in jobs:
            again = job.again(self._fleet.now + retry_s)
            self._agenda.put(again.arrival, partial(self._send_again, again))

    def _send_again(self, job: Job) -> None:
        self.harm = replace(self.harm, resent=self.harm.resent + 1)
        self._fleet.admit(job)

    def _respeed(self) -> None:
        for member in self._fleet.members:
            if member.gone_at > self._fleet.now:
                self._slow(member, edge=True)

    def _slow(self, member: Member, *, edge: bool = False) -> None:
        factor = slowed(self._conditions.faults, now=self._fleet.now, name=member.name, seed=self._seed)
        if edge or factor != 1.0:
            self._fleet.respeed(member, factor)


def _number(member: Member) -> int:
    return member.number
