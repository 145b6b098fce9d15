"""What decisions remember of each other: recommendations for stabilisation, scale events for rate limits."""

from dataclasses import replace

from foretide.policies.flow import Behavior, Memory, Recommendation, ScaleEvent


def longest_window(behavior: Behavior) -> float:
    """Seconds after which nothing remembered can matter any more."""
    rules = (behavior.up, behavior.down)
    periods = [policy.period_s for direction in rules for policy in direction.policies]
    return max([direction.stabilization_s for direction in rules] + periods)


def remember_recommendation(
    memory: Memory, *, at: float, replicas: int, behavior: Behavior, events_s: float = 0.0
) -> Memory:
    """The memory with one recommendation more. Scale events are kept for `events_s` seconds at least."""
    window = longest_window(behavior)
    since = at - window
    kept = tuple(past for past in memory.recommendations if past.at > since)
    scaled_since = at - max(window, events_s)
    return replace(
        memory,
        recommendations=(*kept, Recommendation(at, replicas)),
        events=tuple(event for event in memory.events if event.at > scaled_since),
    )


def remember_scale(memory: Memory, *, at: float, before: int, after: int) -> Memory:
    """To be called once a write has succeeded, never for an order that was refused."""
    return replace(memory, events=(*memory.events, ScaleEvent(at, before, after)))
