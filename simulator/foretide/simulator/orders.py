"""Replicas from their order to their readiness: first without a node (pending), then starting.

Pending ones get their node in the order in which they were ordered, and begin to start and to cost then. A scheduler
looks for nodes when something is ordered, and every LOOK_S seconds while something is pending.

What is NOT promised: preemption, or a smaller replica that overtakes a larger one; all replicas are of one size.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf

from foretide.simulator.agenda import Agenda
from foretide.simulator.conditions import Conditions
from foretide.simulator.faults import start_factor
from foretide.simulator.member import Member
from foretide.simulator.starts import StartTier, WarmNodes, contended

LOOK_S = 1.0
"""A pod without a node is tried again after about a second, as kube-scheduler's first back-off is."""


class Orders:
    """`gpus` are those of one replica; `begins` is told of each replica that gets its node. Calls must come in the
    order of time.
    """

    __slots__ = (
        "_agenda",
        "_begins",
        "_conditions",
        "_gpus",
        "_held",
        "_looking",
        "_ordinal",
        "_pending",
        "_seed",
        "_warm",
        "starting",
    )

    def __init__(
        self,
        *,
        first_tier: StartTier,
        conditions: Conditions,
        seed: int,
        gpus: int,
        agenda: Agenda,
        begins: Callable[[Member], None],
    ) -> None:
        self._conditions, self._agenda, self._begins = conditions, agenda, begins
        self._looking = False
        self._seed, self._gpus = seed, gpus
        self._warm = WarmNodes((first_tier, *conditions.further_tiers), refill_s=conditions.refill_s)
        self.starting: list[Member] = []
        """Those with a node, the next to be ready first."""
        self._pending: deque[tuple[Member, int]] = deque()
        self._held = 0
        """Replicas that have a node."""
        self._ordinal = 0

    def __len__(self) -> int:
        """Ordered and not ready yet."""
        return len(self.starting) + len(self._pending)

    @property
    def pending(self) -> int:
        return len(self._pending)

    def has_room(self, now: float) -> bool:
        """Whether one more replica finds its GPUs."""
        return (self._held + 1) * self._gpus <= self._conditions.stock.at(now, self._conditions.faults)

    def settle_in(self, member: Member) -> None:
        """A replica that is there without having been ordered: it holds its node from now on."""
        self._held += 1
        member.begun_at = member.ordered_at

    def order(self, member: Member, now: float) -> None:
        """It starts as soon as there is a node for it."""
        self._pending.append((member, self._ordinal))
        self._ordinal += 1
        self.place(now)

    def place(self, now: float) -> None:
        """Gives nodes to those that wait, as far as there are any: their starts begin now."""
        while self._pending and self.has_room(now):
            member, ordinal = self._pending.popleft()
            tier = self._warm.take(now)
            seconds = tier.start_s(ordinal=ordinal, seed=self._seed) * start_factor(self._conditions.faults, now=now)
            seconds = contended(seconds, others=len(self.starting), coefficient=self._conditions.contention)
            member.begun_at, member.ready_at, member.tier = now, now + seconds, tier.name
            self._held += 1
            self.starting.append(member)
            self.starting.sort(key=_ready_at)
            self._begins(member)
        if self._pending and not self._looking:
            self._looking = True
            self._agenda.put(now + LOOK_S, partial(self._look, now + LOOK_S))

    def _look(self, now: float) -> None:
        self._looking = False
        self.place(now)

    def call_off(self, now: float) -> None:
        """Takes back the newest order that has no node, else the start that would end last; there is one."""
        if self._pending:
            member, _ = self._pending.pop()
        else:
            member = self.starting.pop()
            self.leave(now)
        member.gone_at, member.ready_at = now, inf

    def leave(self, at: float) -> None:
        """A replica that had a node is gone."""
        self._held -= 1
        self._warm.give_back(at)


def _ready_at(member: Member) -> float:
    return member.ready_at
