"""Somebody else writes our target's replicas: noticed at every look, told in Conflict, kept over restarts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from foretide.operator.look import Look, Looker
from foretide.operator.resource import BY_KEDA, RESUME, Resource
from foretide.operator.times import timestamp
from foretide.policies.contest import Contest, Held, is_foreign, looked

OURSELVES = "foretide"


async def met(looker: Looker, contest: Contest, found: Look, resource: Resource, *, now: float) -> Contest:
    """The contest after a look. Who wrote is asked only where somebody did; in other modes we have no say."""
    if not resource.spec.mode.acts or resource.actuation == BY_KEDA:
        return Contest(resume=resource.resume)
    count, may_rest = found.scale.replicas, resource.pool.min_replicas == 0
    manager = await looker.writer(resource) if is_foreign(contest, count) else ""
    if manager == OURSELVES:
        # Another replica of the operator led meanwhile.
        contest = replace(contest, written=count, seen=count)
    return looked(contest, at=now, count=count, manager=manager, resume=resource.resume, may_rest=may_rest)


def told(found: Look, contest: Contest) -> Look:
    """The look with what keeps us from writing; other autoscalers come first."""
    if found.conflict or contest.held is Held.NOT:
        return found
    return replace(found, conflict=f"{contest.why}, or {RESUME} gets a new value", held=contest.held)


def remembered(status: Mapping[str, Any], *, resume: str) -> Contest:
    """What an earlier life told of a contest that goes on."""
    for condition in status.get("conditions") or ():
        reason = condition.get("reason")
        if condition.get("type") == "Conflict" and condition.get("status") == "True" and reason in tuple(Held):
            why = str(condition.get("message") or "").removesuffix(f", or {RESUME} gets a new value")
            since = timestamp(condition.get("lastTransitionTime"))
            return Contest(held=Held(reason), why=why, moved_at=since or float("-inf"), resume=resume)
    return Contest(resume=resume)
