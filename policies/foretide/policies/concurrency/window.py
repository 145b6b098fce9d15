"""The words of the concurrency tuner: what a replica showed in a window, what may be set, and who sets it.

The limit is how many requests one replica takes at once: an engine's max_num_seqs, Knative's containerConcurrency, a
gateway's limit. Goodput counts requests that ended within every threshold, per GPU-second.

What is NOT promised: that a request ends in the window in which it was admitted. With answers that take longer than a
window, part of what a window shows is owed to the limit before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

State = Mapping[str, object]
"""What json.dumps takes, and restores to the same value."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits that may be set, both included."""

    least: int
    most: int

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise ValueError(f"bounds: {self.least} to {self.most}: give whole numbers, 1 <= least <= most")

    def clip(self, limit: float) -> int:
        return int(min(max(round(limit), self.least), self.most))


@dataclass(frozen=True, slots=True)
class Window:
    """One window of one replica. Lengths are NaN where no request ended."""

    limit: int
    seconds: float
    gpus: int
    admitted: int
    """Requests that came and were taken."""
    refused: int
    """Requests turned away at the door because the limit was reached."""
    ended: int
    good: int
    """Of those that ended: within every threshold."""
    prompt_tokens: float
    """Mean of the requests that ended."""
    output_tokens: float
    busy: float
    """Time-weighted mean of the requests that were there, running and waiting."""
    kv_share: float
    """Of the KV cache in use at the end of the window, in [0, 1]."""
    replicas: float = 1.0
    """How many alike replicas this one stands for."""

    @property
    def gpu_seconds(self) -> float:
        return self.seconds * self.gpus

    @property
    def goodput(self) -> float:
        """Requests within every threshold per GPU-second."""
        return self.good / self.gpu_seconds

    @property
    def attainment(self) -> float | None:
        """Share of the requests that ended or were refused and kept every threshold; None where there was none."""
        asked = self.ended + self.refused
        return self.good / asked if asked else None


class Agent(Protocol):
    """Chooses the limit of the next window, and learns from what came of it.

    The same seed and the same windows give the same limits; `state` and `restore` carry that over a restart.
    """

    @property
    def name(self) -> str: ...

    def act(self, seen: Window | None) -> int:
        """The limit for the next window, after the last one; None where none has been seen."""
        ...

    def learn(self, outcome: Window) -> None:
        """What a window with the limit in it came to."""
        ...

    def state(self) -> State: ...

    def restore(self, state: State) -> None:
        """Goes on from a state of the same kind of agent with the same settings."""
        ...
