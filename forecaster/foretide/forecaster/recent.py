"""Last-72: the next steps look like a stretch of the last 72 rows, whatever the newest one is.

The empirical distribution of recent demand, drawn as whole stretches so that dependence over time and between the
indicators is that of the data. It ignores the newest level on purpose: where demand is noise around a level, that wins.

What is NOT promised: any trend.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from foretide.forecaster.past import Past, whole_blocks
from foretide.forecaster.tier import blocks, spread_picks
from foretide.policies.flow import Floats


@dataclass(frozen=True, slots=True)
class Recent:
    memory: int = 72
    name: str = "last-72"

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
        """Joint paths (count, horizon, 3); stretches of at most half the memory are chained to longer horizons."""
        rows = past.filled[-self.memory :]
        length = max(1, min(horizon, len(rows) // 2))
        starts = whole_blocks(rows, length)
        while not len(starts) and length > 1:
            length //= 2
            starts = whole_blocks(rows, length)
        if not len(starts):
            return None
        parts = [blocks(rows, spread_picks(starts, count, rng), length) for _ in range(-(-horizon // length))]
        return np.asarray(np.concatenate(parts, axis=1)[:, :horizon], dtype=np.float64)
