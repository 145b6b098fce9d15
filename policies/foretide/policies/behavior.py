"""Kubernetes HPA v2 `behavior`: stabilisation windows and rate policies, with HPA's own arithmetic.

Follows pkg/controller/podautoscaler/horizontal.go of Kubernetes 1.34: stabilizeRecommendationWithBehaviors and
convertDesiredReplicasWithBehaviorRate. Tolerance belongs to the metric, not to this module.
"""

from collections.abc import Callable, Iterable
from math import ceil

from foretide.policies.flow import (
    Behavior,
    Memory,
    ReasonCode,
    Recommendation,
    ScaleEvent,
    ScalingPolicy,
    ScalingRules,
    ScalingSelect,
)

HPA_DEFAULT = Behavior(
    up=ScalingRules(0.0, (ScalingPolicy("Pods", 4, 15.0), ScalingPolicy("Percent", 100, 15.0))),
    down=ScalingRules(300.0, (ScalingPolicy("Percent", 100, 15.0),)),
)
"""What HPA does when a resource gives no `behavior`."""


def apply_behavior(
    *, now: float, current: int, wanted: int, behavior: Behavior, memory: Memory
) -> tuple[int, ReasonCode | None]:
    """The count that `behavior` lets through on the way from `current` to `wanted`, and what held it back, if anything.

    The result lies between the two, both included.
    """
    steady = stabilized(
        now=now, current=current, wanted=wanted, behavior=behavior, recommendations=memory.recommendations
    )
    if steady != wanted and steady == current:
        return current, ReasonCode.STABILIZING
    limited = rate_limited(now=now, current=current, wanted=steady, behavior=behavior, events=memory.events)
    if limited != steady:
        return limited, ReasonCode.RATE_LIMITED
    return steady, ReasonCode.STABILIZING if steady != wanted else None


def stabilized(
    *,
    now: float,
    current: int,
    wanted: int,
    behavior: Behavior,
    recommendations: Iterable[Recommendation],
) -> int:
    """`current`, moved up to the lowest recommendation of the up window or down to the highest of the down window."""
    lowest, highest = wanted, wanted
    for past in recommendations:
        if past.at > now - behavior.up.stabilization_s:
            lowest = min(lowest, past.replicas)
        if past.at > now - behavior.down.stabilization_s:
            highest = max(highest, past.replicas)
    return min(max(current, lowest), highest)


def rate_limited(*, now: float, current: int, wanted: int, behavior: Behavior, events: Iterable[ScaleEvent]) -> int:
    """`wanted`, brought back to what the direction's policies allow within their periods."""
    events = tuple(events)
    if wanted > current:
        return min(wanted, max(current, _limit(now, current, behavior.up, events, up=True)))
    if wanted < current:
        return max(wanted, min(current, _limit(now, current, behavior.down, events, up=False)))
    return current


def _limit(now: float, current: int, rules: ScalingRules, events: tuple[ScaleEvent, ...], *, up: bool) -> int:
    if rules.select is ScalingSelect.DISABLED or not rules.policies:
        return current
    proposals = [_proposal(now, current, policy, events, up=up) for policy in rules.policies]
    # `Max` means the largest change, which downwards is the smallest count.
    widest: Callable[[list[int]], int] = max if up == (rules.select is ScalingSelect.MAX) else min
    return widest(proposals)


def _proposal(now: float, current: int, policy: ScalingPolicy, events: tuple[ScaleEvent, ...], *, up: bool) -> int:
    recent = [event.after - event.before for event in events if event.at > now - policy.period_s]
    at_period_start = current - sum(recent)
    sign = 1 if up else -1
    if policy.kind == "Pods":
        return at_period_start + sign * policy.value
    # The same floats as HPA's: 10 % of 10 pods lets 12 through, because 10 * (1 + 0.1) is a little more than 11.
    scaled = at_period_start * (1 + sign * policy.value / 100)
    return ceil(scaled) if up else int(scaled)
