"""What a forecast may look at: the demand history, cleaned, on its grid, with short gaps filled causally.

Impossible rows (negative, infinite, a lone value a thousand times above everything else) become gaps. A gap is never
zero: up to `FILL` rows it repeats the row before it, for inputs only; longer ones stay gaps.

What is NOT promised: that a filled row may be scored against. `known` has the measured rows only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretide.policies.flow import REQUESTS, DemandHistory, Floats, Trust

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

FILL = 3
"""Longest gap, in rows, that is bridged."""
RECENT = 30
"""Rows that must be mostly measured before a forecast is trusted."""
MAX_MISSING = 0.2
IMPOSSIBLE = 1e12
"""Requests or tokens per second that no fleet serves."""
SPIKE = 1e3
"""A run of at most `SPIKE_ROWS` rows this many times above all but the largest percent of rows is a broken reading."""
SPIKE_ROWS = 2
UNIT_ROWS = 2880
NOTHING = 1e-100
"""Demand this small has no scale; dividing by it would overflow."""


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Cleaned demand up to `end`: `known` and `filled` have shape (T, 3), per second, NaN rows are gaps."""

    end: float
    step: float
    known: Floats
    filled: Floats
    broken: Flags
    """(T,) true where a row was measured but impossible."""
    age: int
    """Rows since the newest measured one: 0 when the last row is measured, T when none is."""
    unit: Floats
    """Per indicator (3,), a third of the mean positive demand: below it changes count as additive.

    asinh(x / unit) is linear near zero and logarithmic for busy times, so idle rows need no special case.
    """

    @property
    def count(self) -> int:
        """How many rows were measured."""
        return int(np.isfinite(self.known[:, REQUESTS]).sum())

    @property
    def newest(self) -> Floats:
        """The newest measured row (3,). Only for a past with one."""
        return np.asarray(self.known[len(self.known) - 1 - self.age], dtype=np.float64)

    def until(self, rows: int) -> "Past":
        """The past as it was when only the first `rows` rows existed."""
        end = self.end - (len(self.known) - rows) * self.step
        return _past(end, self.step, self.known[:rows], self.filled[:rows], self.broken[:rows])


def past_of(history: DemandHistory) -> Past:
    """The cleaned history; a row with one bad indicator is a gap as a whole, because the indicators are joint."""
    values = np.asarray(history.values, dtype=np.float64).reshape(-1, 3)
    impossible = (values < 0) | (values >= IMPOSSIBLE)
    sound: Flags = np.asarray((np.isfinite(values) & ~impossible).all(axis=1))
    known = np.where(sound[:, None], values, np.nan)
    spikes = _spikes(known)
    known[spikes] = np.nan
    return _past(history.end, history.step, known, _filled(known), impossible.any(axis=1) | spikes)


def _past(end: float, step: float, known: Floats, filled: Floats, broken: Flags) -> Past:
    measured = np.flatnonzero(np.isfinite(known[:, REQUESTS]))
    age = len(known) - 1 - int(measured[-1]) if len(measured) else len(known)
    return Past(end, step, known, filled, broken, age, _unit(known[-UNIT_ROWS:]))


def _unit(known: Floats) -> Floats:
    busy = np.where(known > 0, known, 0.0)
    total, count = busy.sum(axis=0), np.maximum(1, (busy > 0).sum(axis=0))
    return np.asarray(np.where(total > NOTHING, total / count / 3.0, 1.0), dtype=np.float64)


def doubt(history: DemandHistory, past: Past, *, needed: int) -> str:
    """Why no model may be trusted on this past, in words; empty when one may. `needed` measured rows are enough."""
    if history.trust not in {Trust.FRESH, Trust.PARTIAL}:
        return f"metrics are {history.trust.value}" + (f": {history.why}" if history.why else "")
    if past.count < needed:
        return f"{past.count} measured bins of {past.step:g} s, {needed} are needed"
    if past.age > FILL:
        return f"the newest measured bin is {past.age * past.step:g} s old"
    recent = past.known[-RECENT:, REQUESTS]
    missing = float(np.isnan(recent).mean())
    if missing > MAX_MISSING:
        return f"{missing:.0%} of the last {len(recent)} bins are missing"
    if past.broken[-RECENT:].any():
        return f"impossible values in the last {len(recent)} bins"
    return _monotony(past)


def whole_blocks(rows: Floats, length: int) -> Indices:
    """Start indices, ascending, of every `length` consecutive rows without a gap."""
    if length > len(rows):
        return np.empty(0, dtype=np.int64)
    known = np.concatenate([[0], np.cumsum(np.isfinite(rows[:, REQUESTS]))])
    return np.flatnonzero(known[length:] - known[:-length] == length)


def _filled(known: Floats) -> Floats:
    """Gaps of up to FILL rows, and the first FILL rows of longer ones, repeat the last measured row."""
    rows = np.arange(len(known))
    last = np.maximum.accumulate(np.where(np.isfinite(known[:, REQUESTS]), rows, -1)) if len(known) else rows
    near = (last >= 0) & (rows - last <= FILL)
    return np.asarray(np.where(near[:, None], known[np.maximum(last, 0)], np.nan), dtype=np.float64)


def _spikes(known: Floats) -> Flags:
    """Rows of short runs that tower above everything else in any indicator."""
    tall = np.zeros(len(known), dtype=np.bool_)
    rows = known[np.isfinite(known[:, REQUESTS])]
    if len(rows) <= SPIKE_ROWS:
        return tall
    rank = max(SPIKE_ROWS, len(rows) // 100)
    usual = np.partition(rows, len(rows) - 1 - rank, axis=0)[len(rows) - 1 - rank]
    tall = ((known > SPIKE * usual) & (usual > 0)).any(axis=1)
    return np.asarray(tall & ~_in_long_run(tall), dtype=np.bool_)


def _in_long_run(flags: Flags) -> Flags:
    """Rows that belong to a run of more than SPIKE_ROWS: that many in a row is a surge, not a broken reading."""
    padded = np.concatenate([np.zeros(SPIKE_ROWS, dtype=np.bool_), flags, np.zeros(SPIKE_ROWS, dtype=np.bool_)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, SPIKE_ROWS + 1).all(axis=1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(windows, SPIKE_ROWS + 1).any(axis=1))


def _monotony(past: Past) -> str:
    """A history without any change teaches nothing, and is what a frozen or wrong metric looks like."""
    requests = past.known[np.isfinite(past.known[:, REQUESTS]), REQUESTS]
    if requests.min() < requests.max():
        return ""
    if requests[0] == 0:
        return "no demand was ever measured"
    return f"every measured bin is exactly {requests[0]:g} requests/s"
