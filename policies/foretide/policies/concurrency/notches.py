"""Limits as ratios to n*, on a grid of a tenth: notch k is n* times 1.1^k, so that what is learnt moves with lengths.

What is NOT promised: a notch of its own for each whole limit. Below a limit of 10 several notches are one limit.
"""

from math import log

RATIO = 1.1
REACH = 8
"""Notches to either side of n*: from 0.47 to 2.14 times n*."""


def at_notch(best: float, notch: float) -> float:
    """The limit at a notch of n* = `best`, before rounding and bounds."""
    return best * float(RATIO**notch)


def notch_of(limit: float, best: float) -> float:
    """How many notches a limit is above n* = `best`; negative below it."""
    return log(limit / best) / log(RATIO)
