"""Workloads to pre-train on: GENERATED ones, and public counts whose licence permits it.

A generated workload is a rate per step (a random day and week shape, a wandering level, bursts that decay, ramps and
shifts of regime, timer spikes), counts drawn around it with or without extra variance, and token lengths that wander.
Real counts (`from_counts`) are given lengths the same way.

What is NOT promised: that generated demand looks like anybody's. It spans shapes; the card says what was used.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from foretide.forecaster.network.examples import Workload
from foretide.forecaster.network.schema import DAY_S, WEEK_S
from foretide.policies.flow import Floats

Factor = Callable[[Floats, float, Generator], Floats]
"""Seconds of each row, step, randomness -> a multiplier of the rate (T,)."""


def generated(*, rows: int, step_s: float, rng: Generator) -> Workload:
    """One workload of `rows` rows: requests, prompt and output tokens per second."""
    seconds: Floats = np.asarray(np.arange(rows) * step_s + rng.uniform(0.0, WEEK_S), dtype=np.float64)
    mean = float(np.exp(rng.uniform(np.log(0.01), np.log(300.0))))
    rate: Floats = np.full(rows, mean)
    for chance, factor in _FACTORS:
        if rng.random() < chance:
            rate = np.asarray(rate * factor(seconds, step_s, rng), dtype=np.float64)
    requests = _counted(np.asarray(np.clip(rate, 0.0, 1e4 * mean), dtype=np.float64), step_s, rng)
    return Workload("generated", _with_tokens(requests, step_s, rng), float(seconds[0]))


def from_counts(name: str, requests: Floats, *, step_s: float, start_s: float, rng: Generator) -> Workload:
    """A measured series of requests/s (T,), with generated token lengths."""
    return Workload(name, _with_tokens(requests, step_s, rng), start_s)


def _day(seconds: Floats, step: float, rng: Generator) -> Floats:  # noqa: ARG001 - the interface
    """A day of three harmonics and a week of weaker days."""
    depth, log = rng.uniform(0.1, 1.6), np.zeros(len(seconds))
    for harmonic in (1, 2, 3):
        log += rng.normal() / harmonic**1.3 * np.cos(2 * np.pi * harmonic * seconds / DAY_S + rng.uniform(0, 2 * np.pi))
    weekday = np.floor(seconds / DAY_S).astype(np.int64) % 7
    weak = rng.uniform(0.0, 0.8) * (weekday >= 5) + rng.normal(0.0, 0.1, size=7)[weekday]
    return np.asarray(np.exp(depth * log - weak), dtype=np.float64)


def _wander(seconds: Floats, step: float, rng: Generator) -> Floats:
    """A level that wanders and returns, over ten minutes to two days."""
    memory = np.exp(-step / np.exp(rng.uniform(np.log(600.0), np.log(2 * DAY_S))))
    return _log_noise(len(seconds), float(memory), rng.uniform(0.05, 0.8), rng)


def _flicker(seconds: Floats, step: float, rng: Generator) -> Floats:
    """The same within minutes."""
    memory = np.exp(-step / np.exp(rng.uniform(np.log(60.0), np.log(1200.0))))
    return _log_noise(len(seconds), float(memory), rng.uniform(0.02, 0.6), rng)


def _log_noise(rows: int, memory: float, size: float, rng: Generator) -> Floats:
    from scipy.signal import lfilter

    shocks = rng.standard_t(rng.choice([3.0, 5.0, 30.0]), size=rows) * size * np.sqrt(1 - memory**2)
    return np.asarray(np.exp(np.clip(lfilter([1.0], [1.0, -memory], shocks), -6.0, 6.0)), dtype=np.float64)


def _bursts(seconds: Floats, step: float, rng: Generator) -> Floats:
    """Jumps that decay, or rise first: a flash crowd."""
    from scipy.signal import lfilter

    rows = len(seconds)
    starts = rng.random(rows) < step / np.exp(rng.uniform(np.log(3600.0), np.log(4 * DAY_S)))
    heights = starts * np.exp(rng.normal(rng.uniform(-1.0, 1.5), 0.8, size=rows))
    decay = float(np.exp(-step / np.exp(rng.uniform(np.log(180.0), np.log(10800.0)))))
    shape = lfilter([1.0], [1.0, -decay], heights)
    if rng.random() < 0.5:
        rise = float(np.exp(-step / rng.uniform(60.0, 900.0)))
        shape = lfilter([1 - rise], [1.0, -rise], shape)
    return np.asarray(1.0 + np.clip(shape, 0.0, 300.0), dtype=np.float64)


def _regimes(seconds: Floats, step: float, rng: Generator) -> Floats:
    """A level that jumps to another now and then, sometimes to nothing."""
    rows = len(seconds)
    changes = rng.random(rows) < step / np.exp(rng.uniform(np.log(7200.0), np.log(6 * DAY_S)))
    levels = np.exp(rng.normal(0.0, rng.uniform(0.2, 1.2), size=1 + int(changes.sum())))
    levels = np.where(rng.random(len(levels)) < rng.choice([0.0, 0.0, 0.3]), 0.0, levels)
    return np.asarray(levels[np.cumsum(changes)], dtype=np.float64)


def _timer(seconds: Floats, step: float, rng: Generator) -> Floats:
    """Spikes on the clock: every quarter, half or whole hour, or every night."""
    period = rng.choice([900.0, 1800.0, 3600.0, DAY_S])
    width = max(step, rng.uniform(0.02, 0.2) * min(period, 7200.0))
    on = (seconds + rng.uniform(0.0, period)) % period < width
    return np.asarray(1.0 + on * np.exp(rng.normal(0.5, 0.8)), dtype=np.float64)


def _trend(seconds: Floats, step: float, rng: Generator) -> Floats:  # noqa: ARG001 - the interface
    return np.asarray(np.exp(rng.normal(0.0, 0.4) * np.linspace(-1.0, 1.0, len(seconds))), dtype=np.float64)


_FACTORS: tuple[tuple[float, Factor], ...] = (
    (0.75, _day),
    (0.8, _wander),
    (0.6, _flicker),
    (0.4, _bursts),
    (0.25, _regimes),
    (0.2, _timer),
    (0.4, _trend),
)


def _counted(rate: Floats, step: float, rng: Generator) -> Floats:
    """Counts per step as a rate: Poisson, or with extra variance by a gamma of random size."""
    if rng.random() < 0.4:
        shape = np.exp(rng.uniform(np.log(1.0), np.log(60.0)))
        rate = rate * rng.gamma(shape, 1.0 / shape, size=len(rate))
    return np.asarray(rng.poisson(np.minimum(rate * step, 1e9)) / step, dtype=np.float64)


def _with_tokens(requests: Floats, step: float, rng: Generator) -> Floats:
    """Requests/s (T,) -> (T, 3): mean lengths wander, and scatter less the more requests a row has."""
    count = np.maximum(np.nan_to_num(requests) * step, 1.0)
    columns = [requests]
    for low, high in ((80.0, 6000.0), (20.0, 1500.0)):
        base = np.exp(rng.uniform(np.log(low), np.log(high)))
        steady = rng.random() < 0.15
        spread = 0.0 if steady else rng.uniform(0.3, 1.5)
        slow = (
            1.0 if steady else _log_noise(len(requests), float(np.exp(-step / rng.uniform(3600, 2 * DAY_S))), 0.25, rng)
        )
        scatter = np.exp(spread / np.sqrt(count) * rng.standard_normal(len(requests)))
        columns.append(requests * base * slow * np.minimum(scatter, 20.0))
    return np.asarray(np.stack(columns, axis=1), dtype=np.float64)
