"""A forecaster that keeps people's clock: a day after a clock change still begins when people get up.

    history -> older rows moved to the clock that holds now -> forecast -> steps behind a coming change moved to theirs

Seasons of the forecaster inside are whole days of 86,400 s. Where the offset from UTC changed within the history, rows
older than `SEAM_S`, or than the change, are taken from where the clock showed the same time. The newest rows stay as
they were, so that nothing near is missing or doubled; the seam lies where no forecast of a few hours looks.

Without a change in sight the answer is that of the forecaster inside, bit for bit.

What is NOT promised: weekdays. A season is a day.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from foretide.policies.flow import DemandForecast, DemandHistory, Forecaster, frozen

SEAM_S = 12 * 3600.0
"""Rows this new are left where they are: farther back than the longest horizon, nearer than a day."""
LOOK_S = 3 * 3600.0
"""How often the offset is looked at: no zone changes its clock twice within that."""

Offset = Callable[[float], float]
"""Seconds east of UTC at a time in seconds since the epoch."""


@cache
def offset_of(zone: str) -> Offset:
    """The offset of an IANA time zone. Raises ZoneInfoNotFoundError and ValueError for a name that is none."""
    if zone == "UTC":
        return lambda _: 0.0
    found = ZoneInfo(zone)

    def offset(at: float) -> float:
        shift = datetime.fromtimestamp(at, UTC).astimezone(found).utcoffset()
        return shift.total_seconds() if shift is not None else 0.0

    return offset


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A `Forecaster` around another one, whose days are those of a clock."""

    inner: Forecaster
    offset: Offset

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        """As `Forecaster.forecast`."""
        source = self._sources(history, max(1, horizon))
        asked = horizon if source is None else max(horizon, int(source.max()) + 1)
        made = self.inner.forecast(history=aligned(history, self.offset), horizon=asked, paths=paths, seed=seed)
        if made is None or source is None:
            return made
        return replace(made, paths=frozen(made.paths[:, source]))

    def _sources(self, history: DemandHistory, horizon: int) -> NDArray[np.int64] | None:
        """For each step ahead the step at which today's clock shows what it will show then; None where it is the same.

        An hour that comes twice has no such step ahead; its steps stay what they are.
        """
        step, today = history.step, self.offset(history.end)
        if self.offset(history.end + horizon * step) == today:
            return None
        steps = np.arange(horizon)
        moved = np.array([self.offset(history.end + h * step) - today for h in range(horizon)])
        shown = steps + np.round(moved / step).astype(np.int64)
        return np.asarray(np.where(shown >= 0, shown, steps), dtype=np.int64)


def aligned(history: DemandHistory, offset: Offset) -> DemandHistory:
    """The history with its older rows on the clock that holds at its end; itself where the clock never changed."""
    looks = np.append(np.arange(history.start, history.end, LOOK_S), history.end)
    today = offset(history.end)
    if all(offset(float(at)) == today for at in looks):
        return history
    rows = np.arange(len(history.values))
    source = np.array([_source(history, int(row), offset, today) for row in rows], dtype=np.int64)
    source = np.where(history.end - (history.start + rows * history.step) <= SEAM_S, rows, source)
    inside = (source >= 0) & (source < len(rows))
    values = np.where(inside[:, None], history.values[np.clip(source, 0, len(rows) - 1)], np.nan)
    return replace(history, values=frozen(values))


def _source(history: DemandHistory, row: int, offset: Offset, today: float) -> int:
    """The row at whose time the clock showed what today's clock would show at the time of `row`."""
    at = history.start + row * history.step
    guess = at + today - offset(at)
    return row + round((today - offset(guess)) / history.step)
