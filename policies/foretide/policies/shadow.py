"""What Foretide would have run, had it been let: its own decisions on the measured demand, from its own past counts.

Behavior limits apply to the counts that it would have had, and a replica that it would have ordered carries load only
after the learned cold start. The present autoscaler on the same replicas is no hindrance here: it is what this is
compared with.

What is NOT promised: the fast pass. The queues in the engines belong to the replicas that really ran, so that no relief
for them is played.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from math import inf

from foretide.policies.decide import plan
from foretide.policies.flow import Act, Evidence, Memory, Mode, Pool
from foretide.policies.memory import remember_scale


@dataclass(frozen=True, slots=True)
class Fleet:
    """Replicas that hold GPUs: so many carry load, and each of the others will from its time on."""

    ready: int
    starting: tuple[float, ...] = ()
    """Ascending; infinity where that is not known."""

    @property
    def replicas(self) -> int:
        return self.ready + len(self.starting)

    def ready_at(self, at: float) -> int:
        return self.ready + bisect_right(self.starting, at)

    def matured(self, at: float) -> "Fleet":
        """The same replicas, with those that carry load by now among the ready ones."""
        started = bisect_right(self.starting, at)
        return Fleet(self.ready + started, self.starting[started:])

    def scaled(self, replicas: int, *, ready_at: float) -> "Fleet":
        """More replicas are ready at `ready_at`; of fewer, those that would be ready last go first."""
        if replicas >= self.replicas:
            ordered = (ready_at,) * (replicas - self.replicas)
            return Fleet(self.ready, tuple(sorted((*self.starting, *ordered))))
        return Fleet(min(self.ready, replicas), self.starting[: max(0, replicas - self.ready)])


@dataclass(frozen=True, slots=True)
class Shadow:
    """The fleet that Foretide would have now, and what its decisions remember of each other."""

    fleet: Fleet
    memory: Memory


def present_fleet(evidence: Evidence) -> Fleet:
    """What really stands. When a starting replica is ready, a later look will tell; unschedulable ones hold no GPU."""
    return Fleet(evidence.pool.ready, (inf,) * evidence.pool.starting)


def begun(evidence: Evidence) -> Shadow:
    """Foretide as it would have taken over: with the replicas that stand."""
    lead = evidence.now + evidence.cold_start.median_s
    return Shadow(Fleet(evidence.pool.ready, (lead,) * evidence.pool.starting), evidence.memory)


def shadowed(shadow: Shadow, evidence: Evidence) -> Shadow:
    """The shadow after the decision that it would have made on this evidence in mode Auto."""
    fleet, now = shadow.fleet.matured(evidence.now), evidence.now
    memory = replace(shadow.memory, watching_since=evidence.memory.watching_since)
    decision = plan(replace(evidence, mode=Mode.AUTO, pool=_pool(fleet, evidence.pool), memory=memory))
    if not isinstance(decision.verdict, Act):
        return Shadow(fleet, decision.memory)
    order = decision.verdict.order
    told = remember_scale(decision.memory, at=now, before=order.before, after=order.after)
    return Shadow(fleet.scaled(order.after, ready_at=now + evidence.cold_start.median_s), told)


def _pool(fleet: Fleet, found: Pool) -> Pool:
    """The pool as the shadow would find it. There is room for as many replicas as really hold GPUs, whoever asks."""
    return replace(
        found,
        desired=fleet.replicas,
        ready=fleet.ready,
        starting=len(fleet.starting),
        unschedulable=found.unschedulable if fleet.replicas >= found.ready + found.starting else 0,
        conflict="",
    )
