"""When a workload is busy: the day, the week, holidays, bursts and a slow drift, as requests/s by the minute.

The daily shape is a cosine with its trough at TROUGH_HOUR. Weekdays differ from weekends by one ratio; about 30 % more
on weekdays, and a dip on holidays with a catch-up after it, is what "Serverless Cold Starts and Where to Find Them"
(EuroSys'25) reports. The heights of dip and catch-up are ours.

What is NOT promised: a weekend whose day looks different from a weekday's in anything but its height.
"""

import numpy as np
from numpy.random import Generator

from foretide.policies.flow import Floats
from foretide.simulator.shape import WorkloadShape

MINUTES = 1440
TROUGH_HOUR = 4.0
SATURDAY = 5
HOLIDAY, CATCH_UP = 0.6, 1.15
"""Rate of a holiday, and of the day after it, over that of a usual day."""
KNOTS = 13
"""Points of the drift in a day."""


def intensity(shape: WorkloadShape, *, seed: int, first_day: int, days: float) -> tuple[Floats, Floats]:
    """Edges of `days` in minutes of the day (seconds from midnight of day 0), and requests/s between them."""
    minutes = int(np.ceil(days * MINUTES))
    edges = (first_day + np.arange(minutes + 1) / MINUTES) * shape.day_s
    day = first_day + (np.arange(minutes) + 0.5) / MINUTES
    daily = 1.0 + (shape.peak_to_trough - 1.0) * lateness(day)
    daily /= 1.0 + (shape.peak_to_trough - 1.0) / 2
    whole = range(first_day, first_day + int(np.ceil(days)))
    lively = np.concatenate([_liveliness(shape, np.random.default_rng((seed, 2, d + MINUTES))) for d in whole])
    usual = np.repeat([day_factor(shape, d) for d in whole], MINUTES)
    return edges, shape.mean_rps * daily * lively[:minutes] * usual[:minutes]


def lateness(day: Floats) -> Floats:
    """0 at the daily trough, 1 at the peak, for times in days."""
    return np.asarray((1.0 - np.cos(2 * np.pi * (day - TROUGH_HOUR / 24))) / 2, dtype=np.float64)


def day_factor(shape: WorkloadShape, day: int) -> float:
    """A day's rate over the mean of a week without holidays."""
    weekend = (day + shape.first_weekday) % 7 >= SATURDAY
    factor = (1.0 if weekend else shape.weekday_ratio) * 7.0 / (5.0 * shape.weekday_ratio + 2.0)
    if day in shape.holidays:
        return factor * HOLIDAY
    return factor * CATCH_UP if day - 1 in shape.holidays else factor


def _liveliness(shape: WorkloadShape, rng: Generator) -> Floats:
    """One day's factor per minute: a slow drift, and bursts that come and go."""
    knots = rng.standard_normal(KNOTS) * shape.wander
    minute = np.arange(MINUTES)
    factor = np.exp(np.interp(minute, np.linspace(0, MINUTES, KNOTS), knots) - shape.wander**2 / 2)
    for _ in range(rng.poisson(shape.bursts_per_day)):
        begin, length = rng.uniform(0, MINUTES), max(1.0, rng.exponential(shape.burst_minutes))
        inside = np.clip(np.minimum(minute - begin, begin + length - minute) / 2.0, 0.0, 1.0)
        factor = factor * (1.0 + (shape.burst_height - 1.0) * inside)
    return factor
