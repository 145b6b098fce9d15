"""What a decision carries over from earlier ones, as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    at: float
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Recommendation:
    at: float
    replicas: int


@dataclass(frozen=True, slots=True)
class Memory:
    """All that a decision carries over from earlier ones. Starts empty in each life of the operator."""

    watching_since: float
    recommendations: tuple[Recommendation, ...] = ()
    events: tuple[ScaleEvent, ...] = ()
    answered: str = ""
    """The approval that was last carried out or refused, as written."""
