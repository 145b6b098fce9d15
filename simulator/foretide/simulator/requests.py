"""Request traces: when each request came, and how many tokens went in and out. Read from the formats that exist.

Formats are recognised by their columns: Azure LLM inference CSV as published, BurstGPT CSV, Mooncake JSONL, and our own
`arrival_s, prompt_tokens, output_tokens` as CSV, CSV.gz or Parquet.

What is NOT promised: repair. A file that is wrong is refused with one line that says where and what to do.
"""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from foretide.policies.flow import Floats, frozen

Tokens = NDArray[np.int64]

OWN = ("arrival_s", "prompt_tokens", "output_tokens")
FORMATS: dict[str, tuple[str, str, str]] = {
    "foretide": OWN,
    "azure": ("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
    "burstgpt": ("Timestamp", "Request tokens", "Response tokens"),
    "mooncake": ("timestamp", "input_length", "output_length"),
}
"""Format -> its columns for arrival, prompt tokens and output tokens."""
BLOCKS = "hash_ids"
"""Column of any format, may be absent: the hash ids of a prompt's leading blocks, in order."""
BLOCK_TOKENS = 512
"""Tokens of a block in Mooncake's traces."""
JITTER_S = 30.0
"""A copy of a request comes at most this much before or after its original: what varies from minute to minute stays,
what is chance within a minute averages out, as it would with that many independent users."""
NEAR_S = 180.0
"""A copy takes its lengths from a request at most this far away in time."""


MOST = 100_000_000
"""Requests of one trace; more would not fit into a usual machine's memory."""
MOST_TOKENS = 1_000_000_000
"""Of a prompt or an answer; what is above is no count of tokens."""


class BadTrace(ValueError):
    """A trace that cannot be used, in one line: column, value, fix."""

    def __init__(self, told: str) -> None:
        # A file may hold line ends in its names and values.
        super().__init__(" ".join(told.split()))


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """What a prefix cache can recognise: the hash ids of the leading blocks of each prompt.

    Request i has ids[offsets[i]:offsets[i + 1]], each of `tokens` tokens (its last one may be cut short). An id stands
    for its block and for all before it, so two prompts share their first k blocks where their first k ids are equal.
    """

    ids: Tokens
    """(m,)"""
    offsets: Tokens
    """(n + 1,)"""
    tokens: int = BLOCK_TOKENS

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of(self, index: int) -> Tokens:
        """The ids of one request, (k,)."""
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    def take(self, picks: NDArray[np.integer]) -> "Blocks":
        """The blocks of the requests at `picks`, in that order."""
        begins, counts = self.offsets[picks], np.diff(self.offsets)[picks]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
        return Blocks(self.ids[np.repeat(begins, counts) + within], offsets, self.tokens)


@dataclass(frozen=True, slots=True, eq=False)
class RequestTrace:
    """`arrival_s` ascends from 0; tokens are at least 1. All arrays have shape (n,)."""

    arrival_s: Floats
    prompt_tokens: Tokens
    output_tokens: Tokens
    blocks: Blocks | None = None
    """None where nothing is known of shared prefixes."""

    def __len__(self) -> int:
        return len(self.arrival_s)

    def at(self, arrival_s: Floats, picks: NDArray[np.integer]) -> "RequestTrace":
        """The requests at `picks`, in that order, at new times of arrival."""
        blocks = None if self.blocks is None else self.blocks.take(picks)
        return RequestTrace(frozen(arrival_s), self.prompt_tokens[picks], self.output_tokens[picks], blocks)

    def between(self, start: float, duration: float) -> "RequestTrace":
        """The requests of [start, start + duration), with times from `start` on."""
        part = np.flatnonzero((self.arrival_s >= start) & (self.arrival_s < start + duration))
        return self.at(self.arrival_s[part] - start, part)

    def scaled(self, factor: float, *, seed: int) -> "RequestTrace":
        """The same traffic at `factor` times the rate, its shape in time kept.

        Each request is repeated floor(factor) times and once more with the fraction's probability; a factor below 1
        thins. Copies come within JITTER_S of their original and take their lengths from a request within NEAR_S of it.
        """
        if not 0 < factor < np.inf:
            raise BadTrace(f"scale_rate: {factor}: give a finite number above 0")
        rng = np.random.default_rng(seed)
        near, moved, _ = self.copies(rng, factor)
        order = np.argsort(moved, kind="stable")
        return self.at(moved[order], near[order])

    def copies(self, rng: Generator, factor: float) -> tuple[NDArray[np.integer], Floats, NDArray[np.bool_]]:
        """`factor` times as many requests, unsorted: whose lengths each has, when it comes, whether it was there."""
        count, last = len(self), float(self.arrival_s[-1]) if len(self) else 0.0
        refuse_more_than_most(count * factor)
        width = min(JITTER_S, last)
        repeats = int(factor) + (rng.random(count) < factor - int(factor))
        origin = np.repeat(np.arange(count), repeats)
        first = np.concatenate([[True], np.diff(origin) > 0]) if len(origin) else np.zeros(0, dtype=bool)
        jitter = np.where(first, 0.0, rng.uniform(-width, width, len(origin)))
        lowest = np.searchsorted(self.arrival_s, self.arrival_s[origin] - NEAR_S)
        highest = np.searchsorted(self.arrival_s, self.arrival_s[origin] + NEAR_S, side="right")
        near = np.where(first, origin, rng.integers(lowest, np.maximum(highest, lowest + 1)))
        # Cut off at the ends, copies would all come in the first and the last instant; they are folded back instead.
        moved = np.abs(self.arrival_s[origin] + jitter)
        return near, np.where(moved > last, 2 * last - moved, moved), first

    def jittered(self, width_s: float, *, seed: int) -> "RequestTrace":
        """Each request later by a time drawn from [0, width): for clocks that tick so coarsely, as Mooncake's 3 s."""
        moved = self.arrival_s + np.random.default_rng(seed).uniform(0.0, width_s, len(self))
        order = np.argsort(moved, kind="stable")
        return self.at(moved[order] - (moved.min() if len(self) else 0.0), order)


def refuse_more_than_most(requests: float) -> None:
    """Raises BadTrace for more requests than a run can hold."""
    if not requests <= MOST:
        fix = f"more than the {MOST:,} that a run can hold; lower the rate or the factor, or take a shorter part"
        raise BadTrace(f"requests: {requests:.3g}: {fix}")


def read_requests(
    path: Path,
    *,
    format: str | None = None,  # noqa: A002 (the scenario's word)
    block_tokens: int = BLOCK_TOKENS,
) -> RequestTrace:
    """The trace in a file; `block_tokens` says how many tokens one of its hash ids stands for. Raises BadTrace."""
    table = read_table(path)
    name = format or recognised(list(map(str, table.columns)), file=path.name)
    if name not in FORMATS:
        raise BadTrace(f"format: {name}: {path.name} can be read as {', '.join(FORMATS)}")
    missing = [column for column in FORMATS[name] if column not in table.columns]
    if missing:
        raise BadTrace(f"columns: {', '.join(missing)} missing: {path.name} read as {name} needs {_listed(name)}")
    if table.empty:
        raise BadTrace(f"rows: 0: {path.name} has a header and no request; give a file with requests")
    arrival, prompt, output = FORMATS[name]
    return RequestTrace(
        arrival_s=_arrivals(table[arrival], arrival, name, file=path.name),
        prompt_tokens=_tokens(table[prompt], prompt, least=1, file=path.name),
        output_tokens=_tokens(table[output], output, least=0, file=path.name),
        blocks=_blocks(table, prompt, block_tokens) if BLOCKS in table.columns else None,
    )


def recognised(columns: list[str], *, file: str) -> str:
    """The format that has these columns. Raises BadTrace when none has."""
    for name, needed in FORMATS.items():
        if set(needed) <= set(columns):
            return name
    if {"session_id", "t_s"} <= set(columns):
        fix = "each session has a clock of its own; add arrival_s, when its session starts plus t_s, and sort by it"
        raise BadTrace(f"columns: session_id, t_s: {fix}")
    known = "; ".join(f"{name}: {_listed(name)}" for name in FORMATS)
    nearest = max(FORMATS, key=lambda name: len(set(FORMATS[name]) & set(columns)))
    missing = [name for name in FORMATS[nearest] if name not in columns]
    lacks = f"for {nearest} {' and '.join(missing)} missing; " if len(missing) < len(FORMATS[nearest]) else ""
    listed = ", ".join(columns)
    raise BadTrace(f"columns: {listed}: {lacks}{file} has no known format ({known}); rename them or convert the file")


def _listed(name: str) -> str:
    return ", ".join(FORMATS[name])


def read_table(path: Path) -> pd.DataFrame:
    """The rows of a CSV, CSV.gz, JSONL or Parquet file. Raises BadTrace."""
    if path.is_file() and path.stat().st_size == 0:
        raise BadTrace(f"size: 0 bytes: {path.name} is empty; give a file with requests")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.name.endswith((".jsonl", ".jsonl.gz")):
            return _json_lines(path)
        return pd.read_csv(path).rename(columns=str.strip)
    except OSError as error:
        raise BadTrace(f"path: {path.name}: {error.strerror or error}; name a file that can be read") from error
    except UnicodeDecodeError as error:
        raise BadTrace(f"content: {path.name}: is not UTF-8 text; save it as UTF-8") from error
    except BadTrace:
        raise
    except Exception as error:  # every parser has its own exceptions
        told = " ".join(str(error).split())[:200]
        raise BadTrace(f"content: {path.name}: {told}; give CSV, CSV.gz, JSONL or Parquet") from error


def _json_lines(path: Path) -> pd.DataFrame:
    """Line by line: pandas would take large enough numbers in a column called `timestamp` for dates."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return pd.DataFrame([_object(line, at) for at, line in enumerate(lines, start=1) if line.strip()])


def _object(line: str, at: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadTrace(f"line: {at}: is no JSON ({error.msg}); write one object on each line") from error
    if not isinstance(found, dict):
        raise BadTrace(f'line: {at}: is no object; write one object on each line, like {{"timestamp": 0, ...}}')
    return found


def _arrivals(column: pd.Series, name: str, format_name: str, *, file: str) -> Floats:
    dated = format_name == "azure"
    seconds = _since_the_first(column, name, file) if dated else pd.to_numeric(column, errors="coerce")
    values = seconds.to_numpy(dtype=np.float64) / (1000.0 if format_name == "mooncake" else 1.0)
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(bad):
        row, (given,) = int(bad[0]) + 1, column.iloc[bad[:1]].tolist()
        if not np.isfinite(values[bad[0]]):
            raise BadTrace(f"{name}: {given!r} in row {row} of {file}: is no time; correct or drop the row")
        fix = "is negative; count seconds from the first request"
        raise BadTrace(f"{name}: {given!r} in row {row} of {file}: {fix}")
    falls = np.flatnonzero(np.diff(values) < 0)
    if len(falls):
        row = int(falls[0]) + 2
        given = column.iloc[row - 1]
        raise BadTrace(f"{name}: {given} in row {row} of {file}: lies before the row above it; sort by time")
    return frozen(values - values[0])


def _since_the_first(column: pd.Series, name: str, file: str) -> pd.Series:
    """Seconds from the earliest date, NaN where there is none."""
    if pd.api.types.is_numeric_dtype(column):
        return pd.Series(np.nan, index=column.index)
    try:
        stamps = pd.to_datetime(column, errors="coerce", format="ISO8601")
        seconds = (stamps - stamps.dropna().min()).dt.total_seconds()
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        # Mixed zones, and years that are out of its reach, are raised in spite of `errors`.
        raise BadTrace(f"{name}: of {file}: {error}; write all dates alike, like 2023-11-16 18:15:46") from error
    return seconds


def _tokens(column: pd.Series, name: str, *, least: int, file: str) -> Tokens:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    whole = np.isfinite(values) & (np.rint(values) == values)
    bad = np.flatnonzero(~whole | (values < least) | (values > MOST_TOKENS))
    if len(bad):
        row = int(bad[0])
        need = f"give a whole number from {least} to {MOST_TOKENS:,}" if np.isfinite(values[row]) else "give a number"
        raise BadTrace(f"{name}: {column.iloc[row]} in row {row + 1} of {file}: {need}")
    # A failed answer of no token still cost its prompt; the engine knows no request without an output token.
    return np.asarray(np.maximum(1, np.rint(values)), dtype=np.int64)


def _blocks(table: pd.DataFrame, prompt: str, block_tokens: int) -> Blocks:
    """Raises BadTrace where a prompt has more blocks than it can have."""
    rows = [_ids(row, given) for row, given in enumerate(table[BLOCKS], start=1)]
    counts = np.array([len(row) for row in rows])
    most = np.ceil(table[prompt].to_numpy(dtype=np.float64) / block_tokens)
    bad = np.flatnonzero(counts > most)
    if len(bad):
        row = int(bad[0])
        told = f"{counts[row]} ids in row {row + 1}: a prompt of {table[prompt].iloc[row]} tokens has {most[row]:.0f}"
        raise BadTrace(f"{BLOCKS}: {told} of {block_tokens} tokens; correct block_tokens")
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Blocks(np.concatenate(rows), offsets, block_tokens)


def _ids(row: int, given: Any) -> Tokens:
    try:
        ids = np.asarray(given, dtype=np.int64)
    except (TypeError, ValueError):
        ids = np.zeros((0, 0), dtype=np.int64)
    if ids.ndim != 1:
        raise BadTrace(f"{BLOCKS}: {given!r} in row {row}: give a list of whole numbers, or leave the column out")
    return ids
