"""The account of warmth of a target: from looks to sums, to the status, and back in a new life.

It is told with whatever status is written anyway, a new one when something happened or five minutes have passed; it
causes no write of its own.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from foretide.operator.gates import SLEEPERS
from foretide.operator.look import Look
from foretide.operator.times import timestamp, written_time
from foretide.policies.flow import REQUESTS, Evidence, Trust
from foretide.policies.warm.account import SLEEPING, Moment, Standing, Waking, WarmAccount

PUBLISH_S = 300.0
HOUR_S = 3600.0
MISSED_PLANS = 3
"""Looks further apart than so many plans say nothing about the time between them."""
TIERS = ("zero", "placeholder", "sleeping", "ready")


def moment_of(look: Look, evidence: Evidence, *, starts: str = "zero", woke_s: float | None = None) -> Moment:
    """What this look and these measurements say about warmth."""
    present = [one for one in look.replicas if not one.terminating]
    awake = [Standing(one.name, one.started_s) for one in present if one.ready]
    asleep = [Standing(one.name, None, SLEEPING) for one in present if one.nap in SLEEPERS and not one.ready]
    backlog = evidence.backlog
    return Moment(
        at=evidence.now,
        standing=(*awake, *asleep),
        idle=nobody_asks(evidence),
        held=(backlog.waiting or 0.0) if backlog is not None else 0.0,
        gpus=evidence.pool.gpus_per_replica,
        starts=starts,
        woke_s=woke_s,
    )


def nobody_asks(evidence: Evidence) -> bool | None:
    """Whether the newest measured bin and the queue of this moment are empty; None where either is not known."""
    history, backlog = evidence.history, evidence.backlog
    if history.trust is not Trust.FRESH or not len(history.values) or backlog is None:
        return None
    newest = float(history.values[-1, REQUESTS])
    if not isfinite(newest) or backlog.trust is not Trust.FRESH or backlog.waiting is None or backlog.running is None:
        return None
    return newest == 0.0 and backlog.waiting == 0.0 and backlog.running == 0.0


def published(account: WarmAccount | None, before: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What `status.warm` is to be after `before`; None for none."""
    if account is None or account.last is None:
        return before
    until, new = timestamp((before or {}).get("until")), told(account)
    if before is None or until is None or account.last.at - until >= PUBLISH_S:
        return new
    happened = any(new[name] != before.get(name) for name in ("coldStartedRequests", "podsEnded", "wakes"))
    return new if happened else before


def told(account: WarmAccount) -> dict[str, Any]:
    """As it stands in the status."""
    wakes = [
        {"tier": tier, "count": wake.count, "mean": f"{wake.total_s / wake.count:.1f}s", "last": f"{wake.last_s:.1f}s"}
        for tier, wake in sorted(account.wakes.items())
        if wake.count
    ]
    idle = {tier: f"{seconds / HOUR_S:.4f}" for tier, seconds in sorted(account.idle_gpu_s.items())}
    return {
        "since": written_time(account.since),
        "until": written_time(account.last.at if account.last else account.since),
        "idleGPUHours": idle,
        "coldStartedRequests": round(account.cold_started),
        "podsEnded": account.ended,
        "podsUtilityBelow1": account.below_one,
        "wakes": wakes,
    }


def remembered(status: Mapping[str, Any], *, now: float) -> WarmAccount:
    """The account of an earlier life; a new one where the status holds none that makes sense."""
    try:
        return _account(status["warm"])
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return WarmAccount(now)


def _account(found: Mapping[str, Any]) -> WarmAccount:
    since = timestamp(found["since"])
    if since is None:
        raise ValueError("since: not a time")
    wakes = {_tier(one["tier"]): _waking(one) for one in found.get("wakes") or ()}
    idle = {_tier(tier): _number(hours) * HOUR_S for tier, hours in (found.get("idleGPUHours") or {}).items()}
    return WarmAccount(
        since=since,
        idle_gpu_s=idle,
        cold_started=_number(found["coldStartedRequests"]),
        ended=int(_number(found["podsEnded"])),
        below_one=int(_number(found["podsUtilityBelow1"])),
        wakes=wakes,
    )


def _waking(one: Mapping[str, Any]) -> Waking:
    count = int(_number(one["count"]))
    return Waking(count, count * _number(one["mean"].removesuffix("s")), _number(one["last"].removesuffix("s")))


def _tier(name: str) -> str:
    if name not in TIERS:
        raise ValueError(f"{name}: no tier")
    return name


def _number(value: object) -> float:
    number = float(str(value))
    if not isfinite(number) or number < 0:
        raise ValueError(f"{value}: not a number of at least 0")
    return number
