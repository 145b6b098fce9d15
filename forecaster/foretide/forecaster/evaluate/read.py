"""A user's table into `Series`: CSV, CSV.gz or Parquet, one row per time, mended where that is safe, or refused.

Mended, each with a note: rows out of order, times that come twice (their mean, so also the hour that a clock change
repeats), rows that are missing (gaps stay gaps), times a little off the grid, negative and infinite values and lone
spikes a thousand times above everything else (they become gaps). Refused with one line that names field, value and fix:
columns that are not there, times that cannot be read or have no common step, too few rows, almost nothing measured.

What is NOT promised: that constant or all-zero columns say anything. They are read, with a note.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.past import SPIKE, SPIKE_ROWS
from foretide.policies.flow import Floats

if TYPE_CHECKING:
    import pandas as pd

FEWEST_ROWS = 24
FEWEST_MEASURED = 0.05
"""Share of rows, at least, in which an indicator was measured."""
MOST_ROWS = 3_000_000
ON_GRID = 0.9
"""Share of times, at least, that lie within a quarter of a step of the grid."""
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
NAMED = (("minute", "min"), ("hour", "h"), ("day", "d"))


class BadSeries(ValueError):
    """What cannot be mended: `field` (an option), `value`, and `fix`."""

    def __init__(self, *, field: str, value: object, fix: str) -> None:
        # A file may hold line ends in its names and values.
        self.field, self.value, self.fix = field, " ".join(str(value).split()), " ".join(fix.split())
        super().__init__(f"{field}: {self.value}: {self.fix}")


@dataclass(frozen=True, slots=True)
class Read:
    """The series in the order of the file, and one line for each thing that was mended."""

    series: tuple[Series, ...]
    notes: tuple[str, ...]


def read_series(
    path: Path, *, time: str, columns: Sequence[str], group: str = "", unit: str = "", keep_negative: bool = False
) -> Read:
    """Every group's series. `unit` is that of a numeric time column: s, min, h or d; by default from its name.

    Raises BadSeries.
    """
    table = _table(path)
    _known(table, "--time", [time])
    _known(table, "--columns", columns)
    if not columns:
        raise BadSeries(field="--columns", value="", fix=f"name at least one of {', '.join(map(str, table.columns))}")
    if group:
        _known(table, "--group", [group])
    at = _seconds(table[time], time, unit)
    values = _numbers(table, columns)
    names = table[group].astype(str).to_numpy() if group else np.full(len(table), path.name.split(".")[0])
    notes: list[str] = []
    found = []
    for name in dict.fromkeys(names.tolist()):
        rows = names == name
        series, told = _one(name, at[rows], values[rows], columns=tuple(columns), keep_negative=keep_negative)
        found.append(series)
        notes += told
    return Read(tuple(found), tuple(notes))


def _table(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.name.endswith((".csv", ".csv.gz")):
            return pd.read_csv(path)
    except FileNotFoundError as error:
        raise BadSeries(field="--series", value=path, fix="there is no such file") from error
    except (OSError, ValueError) as error:
        raise BadSeries(field="--series", value=path, fix=f"cannot be read: {str(error).splitlines()[0]}") from error
    raise BadSeries(field="--series", value=path, fix="name a file that ends in .csv, .csv.gz or .parquet")


def _known(table: "pd.DataFrame", field: str, names: Sequence[str]) -> None:
    for name in names:
        if name not in table.columns:
            there = ", ".join(map(str, table.columns))
            raise BadSeries(field=field, value=name, fix=f"the file has no such column; it has {there}")


def _seconds(column: Any, name: str, unit: str) -> Floats:
    """Seconds of each row. Dates are read as UTC where they state no zone."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(dtype=np.float64)
        named = unit or next((short for word, short in NAMED if word in name.lower()), "s")
        if named not in UNITS:
            raise BadSeries(field="--time-unit", value=unit, fix=f"use one of {', '.join(UNITS)}")
        if not np.isfinite(numbers).all():
            raise BadSeries(field="--time", value=name, fix=f"row {int((~np.isfinite(numbers)).argmax())} has no time")
        return np.asarray(numbers * UNITS[named], dtype=np.float64)
    try:
        dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
        seconds = (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy()
    except (ValueError, OverflowError) as error:
        # Years that are out of its reach are raised, in spite of `errors`.
        raise BadSeries(field="--time", value=name, fix=f"{error}; mend or drop that row") from error
    if dates.isna().any():
        row = int(dates.isna().to_numpy().argmax())
        raise BadSeries(
            field="--time", value=column.iloc[row], fix=f"row {row} of {name} is not a time; mend or drop it"
        )
    return np.asarray(seconds, dtype=np.float64)


def _numbers(table: "pd.DataFrame", columns: Sequence[str]) -> Floats:
    import pandas as pd

    arrays = []
    for name in columns:
        numbers = pd.to_numeric(table[name], errors="coerce")
        words = numbers.isna() & table[name].notna()
        if words.any():
            row = int(words.to_numpy().argmax())
            raise BadSeries(field="--columns", value=table[name].iloc[row], fix=f"row {row} of {name} is not a number")
        arrays.append(numbers.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.column_stack(arrays)


def _one(
    name: str, at: Floats, values: Floats, *, columns: tuple[str, ...], keep_negative: bool
) -> tuple[Series, list[str]]:
    """The series on its grid, and what was mended."""
    notes: list[str] = []
    at, values = _in_order(name, at, values, notes)
    if len(at) < FEWEST_ROWS:
        raise BadSeries(
            field="--series", value=name, fix=f"{len(at)} different times; at least {FEWEST_ROWS} are needed"
        )
    step = _step(at)
    rows = np.round((at - at[0]) / step).astype(np.int64)
    _on_grid(name, at, rows, step, notes)
    grid = np.full((int(rows[-1]) + 1, values.shape[1]), np.nan)
    grid[rows] = values
    if len(grid) > len(np.unique(rows)):
        notes.append(f"{name}: {len(grid) - len(np.unique(rows))} of {len(grid)} rows of {step:g} s are missing: gaps")
    for index, column in enumerate(columns):
        notes += _cleaned(grid[:, index], f"{name}, {column}", keep_negative)
    return Series(group=name, start_s=float(at[0]), step_s=step, columns=columns, values=grid), notes


def _in_order(name: str, at: Floats, values: Floats, notes: list[str]) -> tuple[Floats, Floats]:
    """Ascending, each time once: the mean of those that come twice."""
    if (np.diff(at) < 0).any():
        notes.append(f"{name}: rows were not in order of time: sorted")
    times, place = np.unique(at, return_inverse=True)
    if len(times) == len(at):
        order = np.argsort(at, kind="stable")
        return at[order], values[order]
    twice = len(at) - len(times)
    notes.append(f"{name}: {twice} times come twice (a clock change does that to an hour): their mean is kept")
    known = np.isfinite(values)
    total, count = np.zeros((len(times), values.shape[1])), np.zeros((len(times), values.shape[1]))
    np.add.at(total, place, np.where(known, values, 0.0))
    np.add.at(count, place, known)
    return times, np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _step(at: Floats) -> float:
    """The most frequent distance between neighbours, to the millisecond."""
    distances, counts = np.unique(np.diff(at).round(3), return_counts=True)
    return float(distances[counts.argmax()])


def _on_grid(name: str, at: Floats, rows: Floats, step: float, notes: list[str]) -> None:
    if rows[-1] >= MOST_ROWS or step <= 0:
        raise BadSeries(field="--time", value=f"step {step:g}", fix=f"{rows[-1] + 1} rows from first to last; resample")
    away = np.abs((at - at[0]) / step - rows)
    if (away <= 0.25).mean() < ON_GRID:
        share = f"{(away > 0.25).mean():.0%} of the times of {name} are off a grid of {step:g} s"
        raise BadSeries(field="--time", value=name, fix=f"{share}; resample to an even step")
    if (away > 1e-6).any():
        notes.append(f"{name}: {(away > 1e-6).sum()} times are a little off the grid of {step:g} s: moved onto it")


def _cleaned(values: Floats, where: str, keep_negative: bool) -> list[str]:
    """In place: what cannot be becomes a gap, and is told."""
    bad = np.isinf(values) if keep_negative else np.isinf(values) | (values < 0)
    spikes = _spikes(np.where(bad, np.nan, values))
    named = (("negative or infinite", bad), (f"{SPIKE:g} times above all others", spikes))
    notes = [f"{where}: {int(rows.sum())} values are {what}: gaps" for what, rows in named if rows.any()]
    values[bad | spikes] = np.nan
    known = values[np.isfinite(values)]
    if len(known) < max(FEWEST_ROWS, FEWEST_MEASURED * len(values)):
        fix = f"{len(known)} of {len(values)} rows are measured; leave it out, or bring a longer record"
        raise BadSeries(field="--columns", value=where, fix=fix)
    if np.ptp(known) == 0:
        notes.append(f"{where}: every measured value is {known[0]:g}: nothing can be learned from it")
    return notes


def _spikes(values: Floats) -> Any:
    """Runs of at most SPIKE_ROWS values that tower above all but the largest percent."""
    known = np.sort(values[np.isfinite(values)])
    if len(known) <= 2 * SPIKE_ROWS:
        return np.zeros(len(values), dtype=np.bool_)
    usual = known[len(known) - 1 - max(SPIKE_ROWS, len(known) // 100)]
    tall = (values > SPIKE * usual) & (usual > 0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], tall.astype(np.int8), [0]])))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if end - begin > SPIKE_ROWS:
            tall[begin:end] = False
    return tall
