"""One sync of kube-controller-manager's HPA behind its metrics, as Kubernetes 1.34 does it, oddities included.

Follows reconcileAutoscaler, normalizeDesiredReplicas(WithBehaviors) and storeScaleEvent of
pkg/controller/podautoscaler/horizontal.go; held against the real controller by tests/apiserver/test_hpa_golden.py
(docs/hpa-fidelity.md). Two oddities are HPA's alone and no part of our own guardrails: an HPA without `behavior` takes
an older path, and a scale event that is too old for its own direction may be overwritten while the other one counts it.

What is NOT promised: several metrics at once, and `tolerance` inside `behavior` (an alpha feature, off by default).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from foretide.policies.behavior import apply_behavior
from foretide.policies.flow import Behavior, Memory, ReasonCode, Recommendation, ScaleEvent
from foretide.policies.memory import longest_window

DOWNSCALE_WINDOW_S = 300.0
"""--horizontal-pod-autoscaler-downscale-stabilization, in seconds."""
LIMIT_FACTOR, LIMIT_MINIMUM = 2, 4
"""How far an HPA without `behavior` goes up in one sync: scaleUpLimitFactor and scaleUpLimitMinimum."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an HPA's spec says about counts. `behavior` is None where there is no such block at all."""

    minimum: int
    maximum: int
    behavior: Behavior | None = None
    downscale_s: float = DOWNSCALE_WINDOW_S
    """The controller's own window, which counts where there is no `behavior`."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What one sync leaves behind. `code` says what held the wanted count back, if anything."""

    replicas: int
    code: ReasonCode | None
    memory: Memory


def sync(limits: Limits, *, now: float, current: int, wanted: int | None, memory: Memory | None) -> Synced:
    """The count after a sync at `now`. `wanted` is what the metric asks for, None where it could not be read.

    `current` is spec.replicas of the target; `memory` is None at the first sync of all.
    """
    memory = memory or Memory(watching_since=now, recommendations=(Recommendation(now, current),))
    if current == 0 and limits.minimum != 0:
        return Synced(0, None, memory)
    if not limits.minimum <= current <= limits.maximum:
        bounded = min(max(current, limits.minimum), limits.maximum)
        return Synced(bounded, ReasonCode.WITHIN_BOUNDS, _scaled(memory, now, current, bounded, limits.behavior))
    if wanted is None:
        return Synced(current, ReasonCode.BLIND, memory)
    allowed, code = _normalized(limits, now=now, current=current, wanted=max(0, wanted), memory=memory)
    memory = _recommended(memory, now, max(0, wanted), limits)
    bounded = min(max(allowed, limits.minimum), limits.maximum)
    return Synced(bounded, code, _scaled(memory, now, current, bounded, limits.behavior))


def without_behavior(
    *, now: float, current: int, wanted: int, recommendations: Iterable[Recommendation], downscale_s: float
) -> int:
    """The count that an HPA without `behavior` lets through: the highest recommendation of its window, at most doubled.

    Unlike with `behavior`, an earlier recommendation that the limit held back is followed up even when the metric has
    come down again (stabilizeRecommendation, convertDesiredReplicasWithRules).
    """
    recent = [past.replicas for past in recommendations if past.at >= now - downscale_s]
    return min(max([wanted, *recent]), max(LIMIT_FACTOR * current, LIMIT_MINIMUM))


def stored(events: tuple[ScaleEvent, ...], event: ScaleEvent, *, behavior: Behavior) -> tuple[ScaleEvent, ...]:
    """The events with a new one: in the place of the last one too old for its direction's policies, if there is one.

    So an event that the other direction's longer period still counts may be lost (storeScaleEvent).
    """
    rising = event.after > event.before
    since = event.at - max(policy.period_s for policy in (behavior.up if rising else behavior.down).policies)
    old = [index for index, past in enumerate(events) if (past.after > past.before) == rising and past.at < since]
    if not old:
        return (*events, event)
    return (*events[: old[-1]], event, *events[old[-1] + 1 :])


def _normalized(
    limits: Limits, *, now: float, current: int, wanted: int, memory: Memory
) -> tuple[int, ReasonCode | None]:
    if limits.behavior is not None:
        return apply_behavior(now=now, current=current, wanted=wanted, behavior=limits.behavior, memory=memory)
    allowed = without_behavior(
        now=now,
        current=current,
        wanted=wanted,
        recommendations=memory.recommendations,
        downscale_s=limits.downscale_s,
    )
    code = ReasonCode.RATE_LIMITED if allowed < wanted else ReasonCode.STABILIZING
    return allowed, None if allowed == wanted else code


def _recommended(memory: Memory, now: float, wanted: int, limits: Limits) -> Memory:
    window = limits.downscale_s if limits.behavior is None else longest_window(limits.behavior)
    kept = tuple(past for past in memory.recommendations if past.at >= now - window)
    return replace(memory, recommendations=(*kept, Recommendation(now, wanted)))


def _scaled(memory: Memory, now: float, before: int, after: int, behavior: Behavior | None) -> Memory:
    if before == after or behavior is None:
        return memory
    return replace(memory, events=stored(memory.events, ScaleEvent(now, before, after), behavior=behavior))
