"""What is asked of a tuned replica, window by window: whose lengths, how many requests, how long the answers.

A compressed day: the mix of regimes goes from `night` to `day` and back in a cosine over `day_windows` windows, as
`rhythm` has it over a day; from `shift_at` on answers are `output_factor` times as long.

What is NOT promised: bursts within a window. Arrivals are Poisson at the window's rate.
"""

from dataclasses import dataclass, field
from math import cos, pi

import numpy as np
from numpy.random import Generator

from foretide.simulator.lengths import Mix, mixed_lengths, whole
from foretide.simulator.requests import Tokens


@dataclass(frozen=True, slots=True)
class Drift:
    """Raises ValueError for a day without windows."""

    day: Mix = field(default_factory=lambda: {"chat": 1.0})
    night: Mix = field(default_factory=lambda: {"chat": 1.0})
    day_windows: int = 96
    begins_at: float = 0.5
    """Where in the day the first window lies: 0 is deepest night, 0.5 noon."""
    output_factor: float = 1.0
    shift_at: int = 0
    day_rps: float = 0.0
    """Requests/s at one replica at noon, where arrivals do not follow from the limit."""
    night_rps: float = 0.0

    def __post_init__(self) -> None:
        if self.day_windows < 1:
            raise ValueError(f"day_windows: {self.day_windows}: give at least 1")

    def lateness(self, window: int) -> float:
        """0 at night, 1 at noon."""
        return (1.0 - cos(2 * pi * (self.begins_at + window / self.day_windows))) / 2

    def rate(self, window: int) -> float:
        """Requests/s at one replica."""
        return self.night_rps + (self.day_rps - self.night_rps) * self.lateness(window)

    def lengths(self, rng: Generator, count: int, *, window: int) -> tuple[Tokens, Tokens]:
        """Prompt and output tokens of so many requests, (count,) each."""
        late = np.full(count, self.lateness(window))
        prompt, output = mixed_lengths(rng, late, by_night=self.night, by_day=self.day)
        return prompt, whole(
            np.asarray(output * self.output_factor, dtype=np.float64)
        ) if window >= self.shift_at else output
