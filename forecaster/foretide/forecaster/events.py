"""Scheduled events: demand that the owner announced, as a factor of what would come without it, and how sure it is.

    history -> measured factor of each event -> belief (error of the owner's figure, probability that it takes place)
            -> history without events -> forecast of the rest -> paths with events

The log of (true over announced factor) is normal with a conjugate prior, so that the factor is lognormal; events of one
name share it. Whether an event takes place is a mixture: it is in a share of the paths, and what is measured once it
has begun moves that share (Bayes' rule over "as announced" and "as ever").

What is NOT promised: that an event changes lengths. All indicators of a path move by one factor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log, sqrt

import numpy as np
from numpy.random import Generator, default_rng

from foretide.policies.declared import ScheduledEvent
from foretide.policies.flow import REQUESTS, DemandForecast, DemandHistory, Floats, frozen

PRIOR_SD = 0.5
"""Of the log error that an owner makes in general: two of three are within a factor of 1.65."""
EVENT_SD = 0.25
"""Of the log factor from one event to the next of its name."""
MEASURED_SD, BIN_SD = 0.15, 0.5
"""Of a measured log factor: of a long event, and what one bin alone adds."""
QUIET_SD = 0.3
"""Of the log factor that is measured where nothing took place."""
LARGEST_ERROR = log(10.0)
"""No belief goes further than ten times what was announced, or a tenth of it."""
LARGEST_FACTOR = log(1000.0)
"""Of what is measured."""
LEVEL_S = 3600.0
"""The level before an event is that of at most this long."""
NEEDED = 0.5
"""Share of a window that must be measured to have a level."""
SEASONAL_LIMIT = 4.0
IDLE = 1e-6
"""Requests/s below which there is nothing to multiply: an announced rate then comes on top."""
LENGTH_ROWS = 30
"""Newest busy rows whose mean lengths such a rate has."""
STREAM = 7001
"""Keeps the noise of events apart from that of the tiers under one seed."""


@dataclass(frozen=True, slots=True)
class Experience:
    """Normal posterior of the mean log error of one kind of event; conjugate, with known variance per event."""

    mean: float = 0.0
    precision: float = 1.0 / PRIOR_SD**2

    def learned(self, error: float, *, noise_sd: float, weight: float) -> "Experience":
        """After an event whose log error was measured with `noise_sd`, counted as `weight` in [0, 1] of an event."""
        added = weight / (EVENT_SD**2 + noise_sd**2)
        precision = self.precision + added
        return Experience((self.precision * self.mean + added * _bounded(error)) / precision, precision)

    @property
    def predictive(self) -> tuple[float, float]:
        """Mean and standard deviation of the next event's log error."""
        return self.mean, sqrt(1.0 / self.precision + EVENT_SD**2)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the history says of one event: log of demand over the level without it, its sd, and that level."""

    factor: float
    sd: float
    level: float
    """Requests/s that would have come without the event; positive."""


@dataclass(frozen=True, slots=True)
class Belief:
    """One event as it looks now: `weight` that it takes place, and its log error (normal)."""

    event: ScheduledEvent
    weight: float
    mean: float
    sd: float
    measured: Measured | None = None

    @property
    def likely_factor(self) -> float:
        """By what the measured part of the event stands above what would have come; 1 where it likely did not."""
        if self.measured is None or self.weight < 0.5:
            return 1.0
        return announced_factor(self.event, self.measured.level) * exp(self.mean)


def announced_factor(event: ScheduledEvent, level: float) -> float:
    """The owner's figure as a multiple of `level` requests/s (positive)."""
    return event.expected if event.relative else event.expected / level


def believed(event: ScheduledEvent, *, history: DemandHistory, experience: Experience, season_s: float) -> Belief:
    """The event in the light of earlier ones and of its own measured part, if any."""
    mean, sd = experience.predictive
    measured = measure(event, history=history, season_s=season_s)
    if measured is None:
        return Belief(event, event.confidence, mean, sd)
    announced = log(announced_factor(event, measured.level))
    error = measured.factor - announced
    happened = event.confidence * _normal(error, mean, sqrt(sd**2 + measured.sd**2))
    quiet = (1.0 - event.confidence) * _normal(measured.factor, 0.0, sqrt(QUIET_SD**2 + measured.sd**2))
    weight = happened / (happened + quiet) if happened + quiet > 0 else event.confidence
    precision = 1.0 / sd**2 + 1.0 / measured.sd**2
    centre = (mean / sd**2 + error / measured.sd**2) / precision
    return Belief(event, weight, _bounded(centre), sqrt(1.0 / precision), measured)


def measure(event: ScheduledEvent, *, history: DemandHistory, season_s: float) -> Measured | None:
    """The event's factor as far as it has passed; None where it has not begun, or a level is not known or is zero.

    The level without it is that of up to `LEVEL_S` before, moved as demand moved between the same clock times one
    season earlier, where that was measured.
    """
    span = min(LEVEL_S, max(event.end_s - event.start_s, history.step))
    during, rows = _level(history, event.start_s, event.end_s)
    before, _ = _level(history, event.start_s - span, event.start_s)
    if not during or not before:
        return None
    then, _ = _level(history, event.start_s - season_s, event.end_s - season_s)
    then_before, _ = _level(history, event.start_s - season_s - span, event.start_s - season_s)
    moved = then / then_before if then and then_before else 1.0
    level = before * min(max(moved, 1.0 / SEASONAL_LIMIT), SEASONAL_LIMIT)
    factor = log(during) - log(level)
    return Measured(min(max(factor, -LARGEST_FACTOR), LARGEST_FACTOR), sqrt(MEASURED_SD**2 + BIN_SD**2 / rows), level)


def without_events(history: DemandHistory, beliefs: Sequence[Belief]) -> DemandHistory:
    """The history as it would have been, so that an event is neither taken for a trend nor for a habit."""
    values = np.array(history.values, dtype=np.float64)
    starts = history.start + history.step * np.arange(len(values), dtype=np.float64)
    for belief in beliefs:
        share = covered(starts, history.step, belief.event)
        values /= (1.0 + share * (belief.likely_factor - 1.0))[:, None]
    return replace(history, values=frozen(values))


def with_events(forecast: DemandForecast, beliefs: Sequence[Belief], *, lengths: Floats, seed: int) -> DemandForecast:
    """The forecast with each event in its share of the paths, at a factor drawn per path; deterministic in the seed.

    `lengths` (2,) are prompt and output tokens per request, for a rate announced where nothing comes otherwise.
    """
    paths = np.array(forecast.paths)
    starts = forecast.made_at + forecast.step * np.arange(paths.shape[1], dtype=np.float64)
    for index, belief in enumerate(beliefs):
        share = covered(starts, forecast.step, belief.event)
        if share.any():
            paths = _with_event(paths, share, belief, lengths, default_rng([abs(seed), STREAM, index]))
    return replace(forecast, paths=frozen(paths))


def recent_lengths(history: DemandHistory) -> Floats:
    """Prompt and output tokens per request over the newest busy rows (2,); zeros where none was busy."""
    values = np.asarray(history.values, dtype=np.float64)
    sound = np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1) & (values[:, REQUESTS] > IDLE)
    busy = values[sound][-LENGTH_ROWS:]
    if not len(busy):
        return np.zeros(2)
    return np.asarray((busy[:, 1:] / busy[:, :1]).mean(axis=0), dtype=np.float64)


def covered(starts: Floats, step: float, event: ScheduledEvent) -> Floats:
    """Share of each bin [start, start + step) that lies within the event: (n,), in [0, 1]."""
    overlap = np.minimum(starts + step, event.end_s) - np.maximum(starts, event.start_s)
    return np.asarray(np.clip(overlap / step, 0.0, 1.0), dtype=np.float64)


def _with_event(paths: Floats, share: Floats, belief: Belief, lengths: Floats, rng: Generator) -> Floats:
    """The paths (K, H, 3) with one event. An announced rate is a multiple of the paths' own mean over the event."""
    count, event = len(paths), belief.event
    takes_place = rng.permutation((np.arange(count) + rng.random()) / count) < belief.weight
    error = np.exp(np.clip(rng.normal(belief.mean, belief.sd, size=count), -LARGEST_ERROR, LARGEST_ERROR))
    level = float((paths[:, :, REQUESTS] @ share).mean() / share.sum())
    if not event.relative and level <= IDLE:
        added = (takes_place * event.expected * error)[:, None] * share
        return np.asarray(paths + added[:, :, None] * np.concatenate([[1.0], lengths]), dtype=np.float64)
    factor = np.where(takes_place, announced_factor(event, level) * error, 1.0)
    return np.asarray(paths * (1.0 + share * (factor[:, None] - 1.0))[:, :, None], dtype=np.float64)


def _level(history: DemandHistory, start: float, end: float) -> tuple[float, int]:
    """Mean requests/s of the measured whole bins in [start, end), and how many; 0 where too few are measured."""
    first = max(0, round((start - history.start) / history.step))
    last = max(first, min(len(history.values), round((end - history.start) / history.step)))
    rows = np.asarray(history.values[first:last, REQUESTS], dtype=np.float64)
    known = rows[np.isfinite(rows) & (rows >= 0)]
    wanted = (min(end, history.end) - start) / history.step
    return (float(known.mean()), len(known)) if len(known) and len(known) >= NEEDED * wanted else (0.0, 0)


def _normal(value: float, mean: float, sd: float) -> float:
    """Density, up to a constant that cancels."""
    return exp(-0.5 * ((value - mean) / sd) ** 2) / sd


def _bounded(error: float) -> float:
    return min(max(error, -LARGEST_ERROR), LARGEST_ERROR)
