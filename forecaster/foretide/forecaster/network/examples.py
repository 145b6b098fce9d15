"""Training examples: windows of a workload with what followed, some of them made harder on purpose.

History is cut to anything from ten rows to all of it, stretches of it are blanked, and events are staged: demand of the
future is multiplied and the window is told so, with an error and a confidence that is kept (an event announced with
confidence c happens with probability c). So the network serves a workload of ten minutes' age and believes a schedule
as far as it deserves.

What is NOT promised: examples over unmeasured futures. Origins whose future has a gap are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from foretide.forecaster.network.features import Arrays, Window, joined, normalised, window
from foretide.forecaster.network.schema import Schema
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

CHUNK = 256
SHORTEST = 10


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """One training series on the schema's grid: `values` (T, N), NaN is missing."""

    name: str
    values: Floats
    start_s: float
    """Unix time of row 0; NaN where the clock is unknown."""


@dataclass(frozen=True, slots=True)
class Hardening:
    """Shares of examples that are made harder; all 0 leaves them as they are."""

    short: float = 0.6
    blanked: float = 0.3
    event: float = 0.15


AS_IT_IS = Hardening(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Windows by input name and what followed: `actual` (B, H, targets), normalised."""

    arrays: Arrays
    actual: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.actual)


def origins_of(values: Floats, schema: Schema, *, first: int, last: int, stride: int = 1) -> Indices:
    """Origins in [first, last) whose whole future is measured and ends by row `last`."""
    known = np.isfinite(values[:, list(schema.targets)]).all(axis=1)
    total = np.concatenate([[0], np.cumsum(known)])
    origins = np.arange(max(1, first), last - schema.horizon + 1, stride)
    whole = total[origins + schema.horizon] - total[origins] == schema.horizon
    return np.asarray(origins[whole], dtype=np.int64)


def examples_of(
    workload: Workload, origins: Indices, schema: Schema, *, rng: Generator, hardening: Hardening
) -> Examples:
    """The examples at these origins; inside a chunk the blanked ones come last."""
    parts = [
        _chunk(workload, origins[start : start + CHUNK], schema, rng, hardening)
        for start in range(0, len(origins), CHUNK)
    ]
    return gathered(parts)


def gathered(parts: Sequence[Examples]) -> Examples:
    """Several sets of examples as one, in order."""
    arrays = {name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays}
    return Examples(arrays, np.concatenate([part.actual for part in parts]))


def _chunk(workload: Workload, origins: Indices, schema: Schema, rng: Generator, hardening: Hardening) -> Examples:
    future = workload.values[origins[:, None] + np.arange(schema.horizon)]
    future, plan = _staged(future, rng, hardening.event, schema)
    blanked = rng.random(len(origins)) < hardening.blanked
    order = np.argsort(blanked, kind="stable")
    since, holed = _since(origins, rng, hardening.short), _holed(workload.values, rng)
    parts = [
        window(values, origins[group], schema, start_s=workload.start_s, since=since[group], events=plan[group])
        for values, group in ((workload.values, order[~blanked[order]]), (holed, order[blanked[order]]))
        if len(group)
    ]
    seen: Window = joined(parts)
    actual = normalised(future[order], seen.frame, schema)[..., list(schema.targets)]
    return Examples(seen.arrays, actual.astype(np.float32))


def _since(origins: Indices, rng: Generator, share: float) -> Indices:
    """First visible row: 0, or for `share` of the origins so that history is log-uniform from SHORTEST rows up."""
    span = np.exp(rng.uniform(np.log(SHORTEST), np.log(np.maximum(SHORTEST + 1, origins))))
    cut = rng.random(len(origins)) < share
    return np.asarray(np.where(cut, np.maximum(0, origins - span), 0), dtype=np.int64)


def _holed(values: Floats, rng: Generator) -> Floats:
    """A copy with a tenth of its rows, and some whole stretches, blanked."""
    holed = values.copy()
    holed[rng.random(len(values)) < rng.uniform(0.0, 0.2)] = np.nan
    for start in rng.integers(0, len(values), size=1 + len(values) // 500):
        holed[start : start + int(np.exp(rng.uniform(0.0, 5.0)))] = np.nan
    return holed


def _staged(future: Floats, rng: Generator, share: float, schema: Schema) -> tuple[Floats, Floats]:
    """Futures (B, H, N) with staged events, and what is told of them (B, H, 2): expected demand, confidence."""
    count, horizon = len(future), int(future.shape[1])
    start = np.asarray(rng.integers(0, horizon, size=count))
    end = np.asarray(start + rng.integers(1, horizon + 1, size=count))
    step = np.arange(horizon)
    during = (step >= start[:, None]) & (step < end[:, None])
    confidence: Floats = rng.choice(np.array([0.3, 0.5, 0.8, 0.9, 1.0]), size=count)
    factor = np.exp(rng.normal(0.7, 0.6, size=count))
    level = (future[..., schema.targets[0]] * during).sum(axis=1) / np.maximum(1, during.sum(axis=1))
    announced = (rng.random(count) < share) & (level > 0)
    happens = announced & (rng.random(count) < confidence)
    lifted = np.where((during & happens[:, None])[..., None], future * factor[:, None, None], future)
    expected = level * factor * np.exp(rng.normal(0.0, 0.2, size=count))
    told = during & announced[:, None]
    plan = np.stack([np.where(told, expected[:, None], np.nan), np.where(told, confidence[:, None], 0.0)], axis=-1)
    return np.asarray(lifted, dtype=np.float64), np.asarray(plan, dtype=np.float64)
