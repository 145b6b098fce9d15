"""When a forecaster has stopped being right: a wager against its calibration, and a running sum against its skill.

A gambler who bets against uniform ranks cannot get rich while they are uniform: his capital is a martingale, and by
Ville's inequality it reaches 100 with a probability of at most 1 % (Vovk, Gammerman and Shafer 2022, chapter 8; the
mixture over bets that now and then change is their simple jumper). The sum is Page's CUSUM on how much worse the pool
scored than the reference tier.

What is NOT promised: Ville's bound where ranks depend on one another. Feed ranks of the first step ahead, each once.
"""

from dataclasses import dataclass, field

import numpy as np

from foretide.policies.flow import Floats

ALARM = 100.0
SHIFTS, SPREADS = (-0.8, -0.4, 0.4, 0.8), (-0.4, 0.4, 0.8)
"""Stakes on outcomes that come too low or high, and on outcomes that come too near the middle or the ends."""
JUMP = 0.01
"""Share of the capital that is spread over all bets anew at each rank."""


def _even() -> Floats:
    bets = 1 + len(SHIFTS) + len(SPREADS)
    return np.full(bets, 1.0 / bets)


@dataclass(slots=True)
class Wager:
    """The capital, from 1, of a gambler against uniform ranks; each life of at most `life` ranks starts anew."""

    life: int = 1000
    alarm: float = ALARM
    seen: int = 0
    _stakes: Floats = field(default_factory=_even, repr=False)

    @property
    def capital(self) -> float:
        return float(self._stakes.sum())

    def add(self, rank: float) -> bool:
        """Enters one rank, cut to [0, 1]; whether the alarm is reached. After it, or a whole life, all starts anew."""
        if self.seen >= self.life:
            self.restart()
        away = 2.0 * min(max(rank, 0.0), 1.0) - 1.0
        odds = np.concatenate([[1.0], 1.0 + np.array(SHIFTS) * away, 1.0 + np.array(SPREADS) * (3.0 * away**2 - 1.0)])
        spread = (1.0 - JUMP) * self._stakes + JUMP * self._stakes.mean()
        self._stakes = np.asarray(spread * odds, dtype=np.float64)
        self.seen += 1
        if self.capital < self.alarm:
            return False
        self.restart()
        return True

    def restart(self) -> None:
        self._stakes, self.seen = _even(), 0


@dataclass(slots=True)
class SkillSum:
    """Page's one-sided CUSUM of (pool - reference) / (pool + reference), a number in [-1, 1], less an allowance."""

    allowance: float = 0.05
    """A pool a tenth worse than the reference is borne for ever."""
    alarm: float = 3.0
    total: float = 0.0

    def add(self, *, pooled: float, reference: float, share: float = 1.0) -> bool:
        """Enters one origin's CRPS of both; `share` of a whole one where origins overlap. Restarts after an alarm."""
        low, high = max(pooled, 0.0), max(reference, 0.0)
        lost = (low - high) / (low + high) if low + high > 0 else 0.0
        self.total = max(0.0, self.total + share * (lost - self.allowance))
        if self.total < self.alarm:
            return False
        self.total = 0.0
        return True
