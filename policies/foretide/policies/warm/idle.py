"""When the next request comes, told by how long earlier idle periods of the model and of the whole fleet were.

The hazard of age t is P(a request comes in the t-th minute of an idle period, given that none came before). A model
that has few idle periods behind it borrows from coarser ages, and those from the fleet:

    coarse(b) = (ended(b) + COARSE x fleet(b)) / (reached(b) + COARSE)           b: bins of ages that grow by GROWTH
    hazard(t) = (ended(t) + FINE x coarse(b of t)) / (reached(t) + FINE)

A timer shows as a peak at its own period, with no rule of its own. Posterior means of a Beta prior each (Gelman et al.,
Bayesian Data Analysis, section 5.3); the discrete hazard is Kaplan and Meier's.

What is NOT promised: the time of day. Two idle periods of the same age are alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretide.policies.service import Floats

Whole = NDArray[np.int64]
COARSE, FINE = 50.0, 50.0
"""What the fleet's and the bin's hazard weigh, in idle periods that reached the age. Ours, from development data."""
GROWTH = 1.5
AGES = 480
"""Minutes of an idle period that are told apart; from there on the hazard is constant."""
FEW = 5.0
"""Starts that the guess of one waiting request is worth."""
LEAST = 1e-6
"""No hazard is less: something always comes."""


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Idle periods of F models by age in minutes, both of shape (F, T); column t - 1 is age t."""

    ended: Floats
    """How many ended with a request in that minute."""
    reached: Floats
    """How many got that far, counting those that end there."""

    @classmethod
    def of(cls, lengths: list[Whole], *, ages: int) -> "Gaps":
        """From each model's lengths in minutes: of 1 where requests came in the next minute. Those longer than `ages`
        count as reached only.
        """
        ended = np.stack([np.bincount(one[one <= ages] - 1, minlength=ages) for one in lengths]).astype(float)
        reached = np.stack([np.searchsorted(np.sort(one), np.arange(1, ages + 1)) for one in lengths])
        return cls(ended, np.array([len(one) for one in lengths])[:, None] - reached.astype(float))


def hazard(gaps: Gaps, *, fleet: Gaps) -> Floats:
    """(F, T) hazards of each model; `fleet` has one row, all models' idle periods and those that still go on."""
    starts = bins(gaps.ended.shape[1])
    ended, reached = (np.add.reduceat(part, starts, axis=1) for part in (gaps.ended, gaps.reached))
    fleet_ended, fleet_reached = (np.add.reduceat(part, starts, axis=1) for part in (fleet.ended, fleet.reached))
    prior = (fleet_ended + FINE / (starts + 2.0)) / (fleet_reached + FINE)
    coarse = (ended + COARSE * prior) / (reached + COARSE)
    widths = np.diff([*starts, gaps.ended.shape[1]])
    spread = np.repeat(coarse, widths, axis=1)
    return np.maximum((gaps.ended + FINE * spread) / (gaps.reached + FINE), LEAST)


def waiting_mean(waited: Floats | float, *, starts: Floats | float) -> Floats:
    """How many requests a start makes wait, from how many `starts` made wait in all; 1 where there were none."""
    return np.asarray((waited + FEW) / (starts + FEW))


def bins(ages: int) -> Whole:
    """Columns where bins of ages begin: each about GROWTH times as wide as the one before."""
    starts, width, at = [], 1.0, 0
    while at < ages:
        starts.append(at)
        at += max(1, int(width))
        width *= GROWTH
    return np.array(starts, dtype=np.int64)


def survived(hazards: Floats) -> Floats:
    """P(no request up to and with that age), along the last axis."""
    return np.asarray(np.cumprod(1.0 - hazards, axis=-1))
