"""What the replicas of a fleet have cost so far, in seconds: from their node on, starting and draining included."""

from collections.abc import Iterable

from foretide.simulator.member import Member
from foretide.simulator.power import Use


def held_s(members: Iterable[Member], now: float) -> float:
    """Replica-seconds with a node; one that never got a node cost nothing."""
    return sum(_held(member, now) for member in members)


def pending_s(members: Iterable[Member], now: float) -> float:
    """Replica-seconds in which a replica was ordered and no node could be found."""
    return sum(min(member.begun_at, member.gone_at, now) - member.ordered_at for member in members)


def idle_s(members: Iterable[Member], now: float) -> float:
    """Replica-seconds ready without any request; of draining ones too."""
    return sum(
        max(0.0, min(member.gone_at, now) - member.ready_at - member.busy_until(now))
        for member in members
        if member.ready_at < now
    )


def uses(members: Iterable[Member], now: float) -> list[Use]:
    """What each did with its GPUs. A prefill step counts once it has ended."""
    return [
        Use(held_s=_held(member, now), busy_s=member.busy_until(now), prefill_s=member.replica.prefill_s)
        for member in members
    ]


def _held(member: Member, now: float) -> float:
    return max(0.0, min(member.gone_at, now) - member.begun_at)
