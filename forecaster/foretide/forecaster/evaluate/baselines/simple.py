"""Rules without a model, the first thing that any forecaster has to beat.

`naive` and `seasonal-naive` come with their textbook intervals (Hyndman and Athanasopoulos, Forecasting: Principles and
Practice, 3rd edition, table 5.2): a random walk, and last season's values with independent errors per season ahead.
`last-72`, `persistence-bootstrap` and `mixture` draw stretches that really happened. `last-plus-q95` and `reactive-*`
are rules of provisioning: all their paths are level, so that only their peak and its cost mean anything.

What is NOT promised: that a rule is good at every score. Each one is the best simple rule somewhere.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from foretide.forecaster.evaluate.baselines.windows import (
    DAY_S,
    WEEK_S,
    Drawn,
    Rolling,
    picked,
    season_rows,
    stretches,
)
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.past import NOTHING
from foretide.policies.flow import Floats

LAST = 72
SEASONS = 7
FARTHEST = 50.0
"""Bootstrapped changes stop at e^50 units, far below an overflow."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A `Model` that learns nothing: `made` gives the rule and how many rows it looks back over, for a season."""

    name: str
    kind: str
    season_s: float = DAY_S

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Only the series' step matters."""
        del rows, context, seed
        rule, memory = _rule(self.kind, season_rows(series, self.season_s), horizon)
        return Rolling(rule, memory)


def _rule(kind: str, season: int, horizon: int) -> tuple[Drawn, int]:
    month = max(1440, 2 * season + horizon)
    made: dict[str, tuple[Drawn, int]] = {
        "naive": (naive, 1440),
        "seasonal-naive": (_Seasonal(season).naive, 8 * season + horizon),
        "seasonal-windows": (_Seasonal(season).windows, SEASONS * season + season // 8 + horizon),
        "last-72": (last_72, LAST),
        "bootstrap": (bootstrap, month),
        "additive": (additive, month),
        "mixture": (mixture, month),
        "mixture-additive": (mixture_additive, month),
        "last-plus": (last_plus, max(1008, season)),
        "reactive-50": (_Reactive(0.5).rule, 1),
        "reactive-70": (_Reactive(0.7).rule, 1),
    }
    return made[kind]


def naive(rows: Floats, horizon: int, count: int, rng: Generator) -> Floats:
    """A random walk from the last row, its steps normal with the spread of past steps, indicators moving together."""
    steps = np.diff(rows, axis=0)
    noise = _together(steps, (count, horizon), rng)
    return np.asarray(rows[-1] + np.cumsum(noise, axis=1), dtype=np.float64)


def _together(errors: Floats, shape: tuple[int, int], rng: Generator) -> Floats:
    """Normal draws (*shape, N) with the errors' second moments."""
    width = errors.shape[1]
    if not len(errors):
        return np.zeros((*shape, width))
    values, vectors = np.linalg.eigh(errors.T @ errors / len(errors))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(rng.standard_normal((*shape, width)) @ root.T, dtype=np.float64)


def last_72(rows: Floats, horizon: int, count: int, rng: Generator) -> Floats:
    """Stretches of the last 72 rows, whatever the newest one is; at most half of them long, chained beyond."""
    newest = rows[-LAST:]
    length = max(1, min(horizon, len(newest) // 2))
    parts = [
        stretches(newest, picked(0, len(newest) - length + 1, count, rng), length) for _ in range(-(-horizon // length))
    ]
    return np.asarray(np.concatenate(parts, axis=1)[:, :horizon], dtype=np.float64)


def additive(rows: Floats, horizon: int, count: int, rng: Generator) -> Floats:
    """The last row plus changes over 1..H rows that really happened."""
    length = max(1, min(horizon, (len(rows) - 1) // 3))
    level = np.repeat(rows[-1][None, None], count, axis=0)
    parts: list[Floats] = []
    while sum(part.shape[1] for part in parts) < horizon:
        if len(rows) < 2:
            return np.asarray(np.repeat(level, horizon, axis=1), dtype=np.float64)
        starts = picked(0, len(rows) - length, count, rng)
        moves = stretches(rows, starts + 1, length) - rows[starts][:, None]
        parts.append(level + moves)
        level = parts[-1][:, -1:]
    return np.asarray(np.concatenate(parts, axis=1)[:, :horizon], dtype=np.float64)


def bootstrap(rows: Floats, horizon: int, count: int, rng: Generator) -> Floats:
    """The same on an asinh scale: multiplicative when busy, additive near zero."""
    busy = rows > 0
    mean = np.where(busy, rows, 0.0).sum(axis=0) / np.maximum(1, busy.sum(axis=0))
    unit = np.where(mean > NOTHING, mean / 3.0, 1.0)
    moved = additive(np.arcsinh(rows / unit), horizon, count, rng)
    return np.asarray(np.sinh(np.clip(moved, -FARTHEST, FARTHEST)) * unit, dtype=np.float64)


def mixture(rows: Floats, horizon: int, count: int, rng: Generator) -> Floats:
    """Half last-72, half persistence-bootstrap."""
    half = count // 2
    halves = [last_72(rows, horizon, half, rng)] if half else []
    return np.concatenate([*halves, bootstrap(rows, horizon, count - half, rng)])


def mixture_additive(rows: Floats, horizon: int, count: int, rng: Generator) -> Floats:
    """Half last-72, half the last row plus changes that happened."""
    half = count // 2
    halves = [last_72(rows, horizon, half, rng)] if half else []
    return np.concatenate([*halves, additive(rows, horizon, count - half, rng)])


def last_plus(rows: Floats, horizon: int, count: int, rng: Generator) -> Floats:
    """Level paths at the last row plus (peak of the next H rows - row) as it was over the memory, at even ranks.

    Their 0.95 quantile is the rule `last + rolling q95`; at 19 : 1 it decides by that.
    """
    del rng
    if len(rows) <= horizon + 1:
        return np.asarray(np.broadcast_to(rows[-1], (count, horizon, rows.shape[1])), dtype=np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(rows[1:], horizon, axis=0)
    rises = windows.max(axis=2) - rows[: len(windows)]
    levels = rows[-1] + np.quantile(rises, (np.arange(count) + 0.5) / count, axis=0)
    return np.repeat(levels[:, None], horizon, axis=1)


@dataclass(frozen=True, slots=True)
class _Reactive:
    """What an autoscaler on utilisation provides: the last row over its target, and no distribution."""

    target: float

    def rule(self, rows: Floats, horizon: int, count: int, rng: Generator) -> Floats:
        del rng
        return np.asarray(np.broadcast_to(rows[-1] / self.target, (count, horizon, rows.shape[1])), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Seasonal:
    season: int

    def naive(self, rows: Floats, horizon: int, count: int, rng: Generator) -> Floats:
        """Last season's values plus normal errors of the seasonal difference; naive before there is a season."""
        if len(rows) <= self.season + 1:
            return naive(rows, horizon, count, rng)
        ahead = np.arange(horizon)
        centre = rows[len(rows) - self.season + ahead % self.season]
        errors = rows[self.season :] - rows[: -self.season]
        growth = np.sqrt(ahead // self.season + 1.0)[:, None]
        return np.asarray(centre + growth * _together(errors, (count, horizon), rng), dtype=np.float64)

    def windows(self, rows: Floats, horizon: int, count: int, rng: Generator) -> Floats:
        """Stretches that began within a quarter of an hour, or 9 rows, of this clock time in the last seven seasons."""
        width = min(9, max(1, self.season // 8))
        if self.season > 1000:
            width = 15
        total = len(rows)
        starts = np.concatenate(
            [total - back * self.season + np.arange(-width, width + 1) for back in range(1, SEASONS + 1)]
        )
        starts = starts[(starts >= 0) & (starts <= total - horizon)]
        if not len(starts):
            return mixture(rows, horizon, count, rng)
        return stretches(rows, starts[picked(0, len(starts), count, rng)], horizon)


SIMPLE: tuple[Rule, ...] = (
    Rule("naive", "naive"),
    Rule("seasonal-naive", "seasonal-naive"),
    Rule("seasonal-naive-week", "seasonal-naive", WEEK_S),
    Rule("seasonal-windows", "seasonal-windows"),
    Rule("last-72", "last-72"),
    Rule("persistence-bootstrap", "bootstrap"),
    Rule("persistence-additive", "additive"),
    Rule("mixture", "mixture"),
    Rule("mixture-additive", "mixture-additive"),
    Rule("last-plus-q95", "last-plus"),
    Rule("reactive-50", "reactive-50"),
    Rule("reactive-70", "reactive-70"),
)
