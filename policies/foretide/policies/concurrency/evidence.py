"""Whether one limit does better than another: an always-valid sequential test on the signs of paired windows.

Two replicas under the same traffic are compared window by window. Wealth starts at 1 and bets a fixed share on "the
first does better"; the mean of several such wealths is an e-process under the hypothesis that, whatever went before,
it does so in at most half of the windows. By Ville's inequality it ever reaches 1 / error with a probability of at most
`error`, however often one looks and whenever one stops (Howard et al., 2021; Shafer, 2021).

What is NOT promised: a test of means. A limit that gains a little in most windows and loses much in a few passes this
test; the shield ends such a limit by its losses. The error is that of one comparison, not of all that are ever made.
"""

from dataclasses import dataclass
from math import exp, inf, log1p, sqrt

BETS = (0.2, 0.5, 0.8)
"""Shares of wealth that are bet on each window."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the windows so far say for the first of two limits."""

    log_wealth: tuple[float, ...] = (0.0,) * len(BETS)
    windows: int = 0
    goodput: float = 0.0
    """Sum of the relative differences in goodput."""
    attainment: float = 0.0
    """Sum of the differences in attainment."""
    squares: float = 0.0
    """Sum of their squares."""

    def after(self, *, goodput: float, attainment: float) -> "Evidence":
        """One more window, by its differences; a tie counts against the first."""
        sign = 1.0 if goodput > 0 else -1.0
        return Evidence(
            log_wealth=tuple(wealth + log1p(sign * bet) for wealth, bet in zip(self.log_wealth, BETS, strict=True)),
            windows=self.windows + 1,
            goodput=self.goodput + goodput,
            attainment=self.attainment + attainment,
            squares=self.squares + attainment**2,
        )

    @property
    def value(self) -> float:
        """The e-value: 1 at first, large where the first does better."""
        return sum(exp(wealth) for wealth in self.log_wealth) / len(self.log_wealth)

    @property
    def attained(self) -> tuple[float, float]:
        """Mean difference in attainment and its standard error, infinite below two windows."""
        return self.attainment / max(1, self.windows), self.deviation / sqrt(max(1, self.windows))

    @property
    def deviation(self) -> float:
        """Standard deviation of the differences in attainment; infinite below two windows."""
        if self.windows < 2:
            return inf
        mean = self.attainment / self.windows
        return sqrt(max(0.0, self.squares - self.windows * mean**2) / (self.windows - 1))

    def proves(self, error: float) -> bool:
        return self.value >= 1.0 / error
