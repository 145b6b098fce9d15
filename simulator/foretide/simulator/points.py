"""Tables of single steps and prompts: how long a decode of n requests at some context takes, or a prompt of p tokens.

Recognised by their columns:

- our own: `batch, context_tokens, decode_ms` and/or `prompt_tokens, prefill_ms` (with `batch` prompts at once);
- Dynamo's profiling results: `kv_usage, context_length, itl_ms, max_kv_tokens` and `prefill_isl, prefill_ttft_ms`;
- Splitwise's and SageServe's: `prompt_size, batch_size, token_size, prompt_time, token_time, e2e_time`, where the unit
  and the meaning of `token_time` (one token or all of them) follow from `e2e_time`;
- `PromptLength, ExecTime`, in seconds.

What is NOT promised: that a table is of one deployment; `where` chooses rows, and several kinds left over are refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foretide.policies.flow import Floats, frozen
from foretide.simulator.observed import Observed, bounds, folds, repeats
from foretide.simulator.profiles import FitRanges, StepTimes
from foretide.simulator.requests import BadTrace

KINDS = (
    "model", "model_path", "hardware", "gpu", "system", "tensor_parallel", "tp", "tp_size", "engine", "backend", "mode",
    "precision",
)  # fmt: skip
"""Columns of which a fit can take one value only."""
SECONDS_PER_TOKEN = 1.0
"""Less than a thousandth of a second, or more than a second, takes no token: below 1 the unit is seconds."""
QUEUED = 0.9
"""Little's law finds fewer requests in a step than the cache holds: the others wait, and do not count."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Decode steps and prefills, a row each, (m,). Decode: `requests` at `tokens` of context each; else prompts."""

    decodes: NDArray[np.bool_]
    requests: Floats
    tokens: Floats
    measured_ms: Floats

    def predicted(self, steps: StepTimes) -> Floats:
        """Milliseconds, (m,): the step-time forms of `StepTimes`."""
        n, tokens = self.requests, self.requests * self.tokens
        decode = steps.decode_a_ms + steps.decode_b_ms * n + steps.decode_c_ms * tokens
        if steps.expert_d_ms:
            decode = decode + steps.expert_d_ms * (1.0 - (1.0 - steps.expert_share) ** n)
        prefill = steps.prefill_a_ms + steps.prefill_b_ms * tokens + steps.prefill_c_ms * tokens * self.tokens
        return frozen(np.where(self.decodes, decode, np.maximum(prefill, 1e-6)))


def observe_points(points: Points, *, name: str = "points") -> Observed:
    """The points as a fit sees them; the repetitions of one point are held out together and count as one."""
    seen = np.column_stack([points.decodes, points.requests, points.tokens])
    group = np.unique(seen, axis=0, return_inverse=True)[1].reshape(-1)
    decodes = points.decodes
    return Observed(
        measured_ms=points.measured_ms,
        metric=np.where(decodes, "decode", "prefill"),
        weight=repeats(group),
        fold=folds(group),
        predict=points.predicted,
        ranges=FitRanges(
            batch=bounds(points.requests[decodes]),
            context=bounds(points.tokens[decodes]),
            prompt=bounds(points.tokens[~decodes]),
        ),
        described=_told(int(decodes.sum()), int((~decodes).sum()), name),
    )


def _told(decodes: int, prompts: int, name: str) -> str:
    counts = {"decode steps": decodes, "prompts": prompts}
    return f"{' and '.join(f'{count} {kind}' for kind, count in counts.items() if count)} of {name}"


def points_of(table: pd.DataFrame, *, name: str) -> Points | None:
    """The points of a table that is called `name` in messages; None for a table of another kind. Raises BadTrace."""
    for needed, read in READERS.items():
        if set(needed) <= set(table.columns):
            parts = [part for part in read(table) if len(part)]
            if not parts:
                raise BadTrace(f"rows: 0: {name} holds no point with a time; give decode_ms or prefill_ms")
            rows = np.vstack(parts)
            _refuse(rows, name)
            return Points(rows[:, 0] > 0, *(frozen(column) for column in rows[:, 1:].T))
    return None


def chosen(table: pd.DataFrame, where: Mapping[str, str], *, name: str) -> pd.DataFrame:
    """The rows with these values. Raises BadTrace where none is left, or more than one deployment."""
    for column, value in where.items():
        if column not in table.columns:
            raise BadTrace(f"--where: {column}: no such column; {name} has {', '.join(map(str, table.columns))}")
        values = table[column].map(_plain)
        table = table[values == value]
        if table.empty:
            there = ", ".join(sorted(set(values))[:12])
            raise BadTrace(f"--where: {column}={value}: no such row; {name} has {there}")
    for column in KINDS:
        kinds = sorted(set(table[column].map(_plain))) if column in table.columns else []
        if len(kinds) > 1:
            there = ", ".join(kinds[:12])
            raise BadTrace(f"{column}: {there}: rows of more than one kind; choose with --where {column}=...")
    return table


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _own(table: pd.DataFrame) -> list[Floats]:
    parts = []
    if {"batch", "context_tokens", "decode_ms"} <= set(table.columns):
        known = table[table["decode_ms"].notna()]
        parts.append(_rows(1.0, known["batch"], known["context_tokens"], known["decode_ms"]))
    if {"prompt_tokens", "prefill_ms"} <= set(table.columns):
        known = table[table["prefill_ms"].notna()]
        requests = known["batch"].fillna(1.0) if "batch" in known.columns else pd.Series(1.0, index=known.index)
        parts.append(_rows(0.0, requests, known["prompt_tokens"], known["prefill_ms"]))
    return parts


def _dynamo_decode(table: pd.DataFrame) -> list[Floats]:
    requests = table["kv_usage"] * table["max_kv_tokens"] / table["context_length"]
    if "thpt_per_gpu" in table.columns:
        running = table["thpt_per_gpu"] * table["itl_ms"] / 1000.0
        requests = requests.where(running >= QUEUED * requests, running)
    return [_rows(1.0, requests, table["context_length"], table["itl_ms"])]


def _dynamo_prefill(table: pd.DataFrame) -> list[Floats]:
    one = pd.Series(1.0, index=table.index)
    return [_rows(0.0, one, table["prefill_isl"], table["prefill_ttft_ms"])]


def _prompts(table: pd.DataFrame) -> list[Floats]:
    one = pd.Series(1.0, index=table.index)
    return [_rows(0.0, one, table["PromptLength"], 1000.0 * table["ExecTime"])]


def _splitwise(table: pd.DataFrame) -> list[Floats]:
    """Means over a whole answer stand for the step at half of it."""
    later = (table["token_size"] - 1.0).clip(lower=1.0)
    whole = (table["e2e_time"] - table["prompt_time"] - table["token_time"]).abs()
    each = (table["e2e_time"] - table["prompt_time"] - table["token_time"] * later).abs()
    token = table["token_time"] / later if whole.median() < each.median() else table["token_time"]
    unit = 1000.0 if token.median() < SECONDS_PER_TOKEN else 1.0
    context = table["prompt_size"] + table["token_size"] / 2.0
    return [
        _rows(1.0, table["batch_size"], context, unit * token),
        _rows(0.0, table["batch_size"], table["prompt_size"], unit * table["prompt_time"]),
    ]


READERS: Mapping[tuple[str, ...], Callable[[pd.DataFrame], list[Floats]]] = {
    ("batch", "context_tokens", "decode_ms"): _own,
    ("prompt_tokens", "prefill_ms"): _own,
    ("kv_usage", "context_length", "itl_ms", "max_kv_tokens"): _dynamo_decode,
    ("prefill_isl", "prefill_ttft_ms"): _dynamo_prefill,
    ("prompt_size", "batch_size", "token_size", "prompt_time", "token_time", "e2e_time"): _splitwise,
    ("PromptLength", "ExecTime"): _prompts,
}


def _rows(decodes: float, requests: pd.Series, tokens: pd.Series, times: pd.Series) -> Floats:
    """(m, 4): kind, requests, tokens, milliseconds."""
    given = pd.concat([requests, tokens, times], axis=1).apply(pd.to_numeric, errors="coerce")
    numbers = given.to_numpy(dtype=np.float64)
    kind = np.full((len(numbers), 1), decodes)
    return np.hstack([kind, numbers])


def _refuse(rows: Floats, name: str) -> None:
    for column, least, what in ((1, 1e-9, "batch"), (2, 1.0, "tokens"), (3, 1e-6, "time")):
        bad = np.flatnonzero(~(np.isfinite(rows[:, column]) & (rows[:, column] >= least)))
        if len(bad):
            value = rows[bad[0], column]
            raise BadTrace(f"{what}: {value:g} in point {int(bad[0]) + 1} of {name}: give a number above 0, or drop it")
