"""Which ready replica a request goes to."""

from collections.abc import Sequence

from foretide.simulator.member import Member


def outstanding(member: Member) -> int:
    return member.replica.outstanding


def least_outstanding(members: Sequence[Member]) -> Member:
    """The member with the fewest requests running or waiting; the one that became ready first among equals."""
    return min(members, key=outstanding) if len(members) > 1 else members[0]
