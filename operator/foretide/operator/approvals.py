"""Approvals as they are written: the annotation of a person, and what waits for one in the status."""

from collections.abc import Mapping
from typing import Any

from foretide.operator.times import timestamp, written_time
from foretide.policies.flow import Approval, Pending


def approval(written: str | None) -> Approval | None:
    """The annotation as a value; one that makes no sense names no count, and is refused with the fix."""
    if not written:
        return None
    count, _, name = written.strip().partition("@")
    sane = count.isascii() and count.isdigit() and len(count) <= 5 and name
    return Approval(written[:64], int(count) if sane else -1, name if sane else "")


def pending_told(pending: Pending) -> dict[str, Any]:
    """For `status.pendingApproval`."""
    return {
        "id": pending.id,
        "from": pending.before,
        "to": pending.after,
        "expires": written_time(pending.expires),
    }


def pending_of(status: Mapping[str, Any]) -> Pending | None:
    """What the status has published; None where there is nothing, or nothing that makes sense."""
    told = status.get("pendingApproval") or {}
    expires = timestamp(told.get("expires"))
    try:
        before, after = int(told["from"]), int(told["to"])
    except (KeyError, TypeError, ValueError):
        return None
    return Pending(str(told.get("id")), before, after, expires) if expires is not None and told.get("id") else None
