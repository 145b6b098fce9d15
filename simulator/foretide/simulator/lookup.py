"""Step times read off a measured table instead of a linear form, and as SplitwiseSim reads its own.

A table has a row per measured point: `model, hardware, tensor_parallel`, `prompt_size` (tokens of each prompt),
`batch_size`, `token_size` (output tokens of each), `prompt_time` (ms, the batch), `token_time` (ms per output token).
SplitwiseSim (`DatabasePerformanceModel`, revision 8f99e7d) makes two curves of it over the prompt tokens of a batch,
prompt_size x batch_size: medians of the rows with equally many, straight lines between, the outer ones prolonged.
An iteration is looked up by its own tokens, of which a prompt has all of its own and a decode one:

    prompts alone: prompt(tokens)        with decodes: 1.1 prompt(tokens)        decodes alone: token(decodes)

What is NOT promised: that its last reading is a time of decoding. n decodes are looked up where a prompt has n tokens,
left of the first point, so their number hardly matters. `Lookup.by_batch` reads the same rows by their batch size, and
`FittedDecodes` by batch size and context.
"""

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from foretide.policies.flow import Floats, frozen

NAMES = ("model", "hardware")
NUMBERS = ("tensor_parallel", "prompt_size", "batch_size", "token_size", "prompt_time", "token_time")
MIXED = 1.1
"""An iteration that decodes beside its prompts takes so many times as long as the prompts alone (SplitwiseSim)."""


class BadTable(ValueError):
    """A table of measured times that cannot be used, in one line: column, value, fix."""


class Timed(Protocol):
    """How long an engine takes for one iteration."""

    def iteration_s(self, *, prompt_tokens: int, decodes: int, context: int) -> float:
        """Seconds; the decodes have `context` tokens in the cache, all together."""
        ...


@dataclass(frozen=True, slots=True)
class Curve:
    """Straight lines through points, the first and the last prolonged."""

    name: str
    """The column that it came from."""
    points: tuple[float, ...]
    """Ascending, two at least."""
    seconds: tuple[float, ...]

    def at(self, point: float) -> float:
        """Seconds. Raises BadTable where a line prolonged has come down to no time at all."""
        right = min(max(bisect_right(self.points, point), 1), len(self.points) - 1)
        (x0, x1), (y0, y1) = self.points[right - 1 : right + 1], self.seconds[right - 1 : right + 1]
        seconds = y0 + (point - x0) * (y1 - y0) / (x1 - x0)
        if seconds <= 0:
            raise BadTable(f"{self.name}: {1000 * seconds:g} ms at {point:g}, prolonged from {x0:g}: measure there too")
        return seconds


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredTimes:
    """The rows of one model on one GPU with one degree of tensor parallelism. All arrays have shape (n,)."""

    prompt_tokens: Floats
    """Of each prompt in the batch."""
    batch: Floats
    output_tokens: Floats
    prompt_s: Floats
    token_s: Floats

    def prompt_curve(self) -> Curve:
        """Over the prompt tokens of the batch. Raises BadTable below two points."""
        return medians("prompt_time", self.prompt_tokens * self.batch, self.prompt_s)

    def token_curve(self, over: Floats) -> Curve:
        """Over a quantity of each row. Raises BadTable below two points."""
        return medians("token_time", over, self.token_s)


def medians(name: str, over: Floats, seconds: Floats) -> Curve:
    found = pd.Series(seconds).groupby(over).median()
    if len(found) < 2:
        raise BadTable(f"{name}: measured in {len(found)} place: a line needs 2 at least; measure other batches too")
    return Curve(name, tuple(found.index.to_list()), tuple(found.to_list()))


@dataclass(frozen=True, slots=True)
class Lookup:
    """Two curves, read as SplitwiseSim does."""

    prompt: Curve
    token: Curve

    @classmethod
    def of(cls, measured: MeasuredTimes) -> "Lookup":
        """SplitwiseSim's own. Raises BadTable where there are fewer than two points."""
        return cls(measured.prompt_curve(), measured.token_curve(measured.prompt_tokens * measured.batch))

    @classmethod
    def by_batch(cls, measured: MeasuredTimes) -> "Lookup":
        """A step of n decodes takes what a batch of n took. Raises BadTable where there are fewer than two points."""
        return cls(measured.prompt_curve(), measured.token_curve(measured.batch))

    def iteration_s(self, *, prompt_tokens: int, decodes: int, context: int) -> float:  # noqa: ARG002
        """Seconds; the context of the decodes is not looked at."""
        if prompt_tokens == 0:
            return self.token.at(decodes)
        return self.prompt.at(prompt_tokens + decodes) * (MIXED if decodes else 1.0)


@dataclass(frozen=True, slots=True)
class FittedDecodes:
    """The same, but n decodes over C tokens of context take a + b n + c C (papers.md 3.1)."""

    lookup: Lookup
    a_s: float
    b_s: float
    c_s: float
    error: float
    """Mean absolute relative error over the rows that were fitted."""

    @classmethod
    def of(cls, measured: MeasuredTimes) -> "FittedDecodes":
        """Least squares of relative errors, no coefficient below 0; a decode is half through its output on average.

        Raises BadTable where the batch never varies, as its share could then not be told from the constant.
        """
        from scipy.optimize import nnls

        if len(np.unique(measured.batch)) < 2:
            raise BadTable(f"batch_size: {measured.batch[0]:g} in every row: measure batches of several sizes")
        context = measured.batch * (measured.prompt_tokens + measured.output_tokens / 2.0)
        terms = np.column_stack([np.ones_like(context), measured.batch, context])
        relative = terms / measured.token_s[:, None]
        scale = relative.max(axis=0)
        (a, b, c), _ = nnls(relative / scale, np.ones(len(context)))
        a, b, c = np.array([a, b, c]) / scale
        error = np.abs(relative @ np.array([a, b, c]) - 1.0).mean()
        return cls(Lookup.of(measured), float(a), float(b), float(c), float(error))

    def iteration_s(self, *, prompt_tokens: int, decodes: int, context: int) -> float:
        if prompt_tokens == 0:
            return self.a_s + self.b_s * decodes + self.c_s * context
        return self.lookup.iteration_s(prompt_tokens=prompt_tokens, decodes=decodes, context=context)


def read_measured_times(path: Path, *, model: str, hardware: str, tp: int) -> MeasuredTimes:
    """The rows of one combination, named as in the table. Raises BadTable."""
    table = _table(Path(path))
    rows = table[(table.model == model) & (table.hardware == hardware) & (table.tensor_parallel == tp)]
    if rows.empty:
        known = table[[*NAMES, "tensor_parallel"]].drop_duplicates().itertuples(index=False)
        listed = "; ".join(f"{row.model} on {row.hardware} with {row.tensor_parallel}" for row in known)
        raise BadTable(f"rows: none for {model} on {hardware} with tensor_parallel {tp}; there are {listed}")
    columns = (rows[name].to_numpy(dtype=np.float64) for name in NUMBERS[1:])
    prompt, batch, output, prompt_ms, token_ms = columns
    return MeasuredTimes(*(frozen(column) for column in (prompt, batch, output, prompt_ms / 1000.0, token_ms / 1000.0)))


def _table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except OSError as error:
        raise BadTable(f"path: {path.name}: {error.strerror or error}; name a file that can be read") from error
    except ValueError as error:
        raise BadTable(f"content: {path.name}: {' '.join(str(error).split())[:200]}; give CSV or CSV.gz") from error
    missing = [name for name in (*NAMES, *NUMBERS) if name not in table.columns]
    if missing:
        raise BadTable(f"columns: {', '.join(missing)} missing: {path.name} needs {', '.join((*NAMES, *NUMBERS))}")
    for name in NUMBERS:
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(bad):
            row = int(bad[0])
            raise BadTable(f"{name}: {table[name].iloc[row]} in row {row + 1}: give a number above 0, or drop the row")
        table[name] = values
    return table
