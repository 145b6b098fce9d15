"""Seasonal windows: what came after this clock time on earlier days, brought to today's level.

Each path is a stretch of an earlier season that starts at the same clock time, shifted by up to `width_s` either way;
it contains that day's future, so daily ramps are seen before they come. A stretch is rescaled by the ratio of the
newest demand to the demand just before the stretch, within limits.

What is NOT promised: weekends. A season is one period, by default a day; nothing knows the day of the week.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from foretide.forecaster.past import Indices, Past, whole_blocks
from foretide.forecaster.tier import blocks, spread_picks
from foretide.policies.flow import Floats


@dataclass(frozen=True, slots=True)
class SeasonalWindows:
    season_s: float = 86400.0
    width_s: float = 900.0
    """Stretches start this close to the same clock time."""
    seasons: int = 7
    """Newest seasons that are looked at."""
    needed: float = 1.1
    """Seasons of history before it speaks."""
    level_rows: int = 12
    """Rows whose mean is the level before a stretch, and now."""
    limit: float = 4.0
    """Largest factor by which a stretch is rescaled, up or down."""
    name: str = "seasonal-windows"

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
        """Joint paths (count, horizon, 3); None before `needed` seasons, or where this clock time was a gap in all."""
        if len(past.filled) * past.step < self.needed * self.season_s:
            return None
        origins = self._origins(past, horizon)
        if not len(origins) or past.age >= self.level_rows:
            return None
        picks = spread_picks(origins, count, rng)
        stretches = blocks(past.filled, picks, horizon)
        return np.asarray(stretches * self._ratio(past, picks)[:, None], dtype=np.float64)

    def _origins(self, past: Past, horizon: int) -> Indices:
        """First rows of whole stretches at this clock time of earlier seasons; the newest season last."""
        total, season = len(past.filled), round(self.season_s / past.step)
        width = min(max(2, round(self.width_s / past.step)), max(2, season // 8))
        whole = np.zeros(total + 1, dtype=np.bool_)
        whole[whole_blocks(past.filled, horizon)] = True
        places = [
            np.arange(total - back * season - width, total - back * season + width + 1)
            for back in range(self.seasons, 0, -1)
        ]
        rows = np.concatenate(places)
        rows = rows[(rows >= self.level_rows) & (rows <= total - horizon)]
        return np.asarray(rows[whole[rows]], dtype=np.int64)

    def _ratio(self, past: Past, starts: Indices) -> Floats:
        """Level now over level before each stretch, per indicator: (len(starts), 3)."""
        floor = 0.03 * past.unit
        now = np.nanmean(past.filled[-self.level_rows :], axis=0) + floor
        before = blocks(past.filled, starts - self.level_rows, self.level_rows)
        known = np.isfinite(before)
        level = np.where(known, before, 0.0).sum(axis=1) / np.maximum(1, known.sum(axis=1)) + floor
        ratio = np.where(known.any(axis=1), now / level, 1.0)
        return np.asarray(np.clip(ratio, 1.0 / self.limit, self.limit), dtype=np.float64)
