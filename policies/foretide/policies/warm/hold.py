"""How warm to keep an idle model: the cheapest tier for each minute of an idle period, exactly, by going back in time.

    V(t, k) = min over j of  up(k, j) + 60 price(j) + hazard(t) (lost(j) + wake(j)) + (1 - hazard(t)) V(t + 1, j)

in GPU-seconds: up(k, j) is the start that a warmer tier takes, wake(j) the start a request sets off, lost(j) what the
waiting is worth. Fixed keep-alive, pre-warming just before a timer, sleeping in between: all of it comes out of the one
minimum. Beyond the last age the hazard stays as it is, and the tier too.

What is NOT promised: room on the nodes. Each model is decided by itself; what they share is in nodes.py.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretide.policies.service import Floats
from foretide.policies.warm.tiers import Tiers

MINUTE_S = 60.0
Steps = NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Tier by age for N idle periods, as places in the order of `Tiers`."""

    tiers: Steps
    """(N, T + 1); the last column stands for every age beyond T."""

    def at(self, ages: NDArray[np.int64]) -> Steps:
        """(N,) the tier in the minute of that age, 1 for the first minute without requests."""
        column = np.minimum(ages - 1, self.tiers.shape[1] - 1)
        return np.asarray(self.tiers[np.arange(len(self.tiers)), column])


def cheapest(
    hazards: Floats, *, tiers: Tiers, waiting: Floats, worth: float, start: int = -1, ages: int | None = None
) -> Held:
    """(N, T) hazards of N idle periods that begin in tier `start`, by default ready. With `ages`, only the tiers of so
    many first ages are told.

    `waiting` (N,) is how many requests a start makes wait, and `worth` how many GPU-seconds a second of one request's
    waiting is.

    Raises ValueError for a negative worth.
    """
    if not worth >= 0.0:
        raise ValueError(f"worth: {worth:g}: give GPU-seconds per second of waiting, at least 0")
    wake, hold = tiers.wake_s, MINUTE_S * tiers.price
    up = np.maximum(wake[:, None] - wake[None, :], 0.0)
    arrival = worth * waiting[:, None] * wake + wake
    if len(hazards) == 1:
        numbers = {"hold": hold.tolist(), "up": up.tolist(), "arrival": arrival[0].tolist()}
        few = len(hazards[0]) + 1 if ages is None else ages
        choices = _back_one(hazards[0].tolist(), **numbers, ages=few)
    else:
        choices = _back(hazards, hold=hold, up=up, arrival=arrival)[:ages]
    return Held(_forward(choices, start=start % len(wake)))


def _back(hazards: Floats, *, hold: Floats, up: Floats, arrival: Floats) -> Steps:
    """(T + 1, N, K): the tier to go to at each age from each tier."""
    periods, ages = hazards.shape
    choices = np.empty((ages + 1, periods, len(hold)), dtype=np.int8)
    ahead = hold / hazards[:, -1:] + arrival
    for age in range(ages, -1, -1):
        moves = up[None, :, :] + ahead[:, None, :]
        choices[age] = moves.argmin(axis=2)
        comes = hazards[:, age - 1 : age] if age else hazards[:, :1]
        ahead = hold + comes * arrival + (1.0 - comes) * moves.min(axis=2)
    return choices


def _back_one(
    hazards: list[float], *, hold: list[float], up: list[list[float]], arrival: list[float], ages: int
) -> Steps:
    """The same for one period and so many first ages, (ages, 1, K): plain loops over plain numbers, ten times as fast
    as arrays of one row.
    """
    choices = []
    ahead = [price / hazards[-1] + met for price, met in zip(hold, arrival, strict=True)]
    for age in range(len(hazards), -1, -1):
        least = []
        for moves in up:
            cheap = float("inf")
            for move, cost in zip(moves, ahead):  # noqa: B905 (the strict one takes as long as all the rest)
                if move + cost < cheap:  # noqa: PLR1730 (so does a call of min)
                    cheap = move + cost
            least.append(cheap)
        if age < ages:
            every = [[move + cost for move, cost in zip(moves, ahead, strict=True)] for moves in up]
            choices.append([costs.index(min(costs)) for costs in every])
        comes = hazards[age - 1 if age else 0]
        stays = 1.0 - comes
        ahead = [hold[k] + comes * arrival[k] + stays * least[k] for k in range(len(hold))]
    return np.array(choices[::-1], dtype=np.int8)[:, None, :]


def _forward(choices: Steps, *, start: int) -> Steps:
    ages, periods, _ = choices.shape
    held = np.empty((periods, ages), dtype=np.int8)
    now = np.full(periods, start, dtype=np.int64)
    rows = np.arange(periods)
    for age in range(ages):
        now = choices[age, rows, now].astype(np.int64)
        held[:, age] = now
    return held
