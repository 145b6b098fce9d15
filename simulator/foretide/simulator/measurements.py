"""What users have measured, read from the files that their tools write, and recognised by what they hold.

- per-request times: `arrival_s, prompt_tokens, output_tokens` with `ttft_s`, and `tpot_s` or `e2e_s`;
- the result of `vllm bench serve` (JSON): its requests where it was saved with `--save-detailed`, else one closed loop;
- closed loops: `clients, prompt_tokens, output_tokens, ttft_ms, tpot_ms`, or AIConfigurator's silicon samples;
- an engine's metrics: Prometheus' answer to a range query (JSON), see `windows`;
- tables of steps and prompts: see `points`.

What is NOT promised: that a run was steady, or its prompts without shared prefixes; say `--no-enable-prefix-caching` to
the engine that is measured.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foretide.policies.flow import Floats, frozen
from foretide.simulator.calibrate import read_measured
from foretide.simulator.measured import LEAST_SHARE, LoopPoint, Measurements, TimedRun
from foretide.simulator.points import READERS, chosen, points_of
from foretide.simulator.requests import OWN, BadTrace, RequestTrace, read_table
from foretide.simulator.windows import windows_of

LOOPS = {
    ("clients", "prompt_tokens", "output_tokens", "ttft_ms", "tpot_ms"): LEAST_SHARE,
    ("concurrency", "isl", "osl", "silicon_ttft_ms", "silicon_tpot_ms"): LEAST_SHARE,
}
"""Columns of a closed loop's points -> from which share of the stated lengths on theirs were drawn."""
DETAILED = ("input_lens", "output_lens", "ttfts", "itls", "start_times")
SUMMARY = ("max_concurrency", "completed", "total_input_tokens", "total_output_tokens", "mean_ttft_ms", "mean_tpot_ms")


def read_measurements(path: Path, *, where: Mapping[str, str]) -> Measurements:
    """The measurements in a file; `where` keeps the rows of one deployment. Raises BadTrace."""
    if path.suffix == ".json":
        raw = _json(path)
        return windows_of(raw, name=path.name) if "data" in raw else _benchmark(raw, path.name)
    table = read_table(path)
    if set(OWN) <= set(table.columns):
        return _run(path, table)
    table = chosen(table, where, name=path.name)
    if table.empty:
        raise BadTrace(f"rows: 0: {path.name} has a header and no row; give a file with measurements")
    for columns, least_share in LOOPS.items():
        if set(columns) <= set(table.columns):
            return _loops(table[list(columns)], path.name, least_share)
    points = points_of(table, name=path.name)
    if points is None:
        kinds = "; ".join(", ".join(names) for names in (OWN, *LOOPS, *READERS))
        raise BadTrace(f"columns: {', '.join(map(str, table.columns))}: no known measurements ({kinds}); rename them")
    return points


def _run(path: Path, table: pd.DataFrame) -> TimedRun:
    measured = read_measured(path)
    given = table.get("ttft_s", pd.Series(np.nan, index=table.index))
    ttft = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(ttft <= 0)
    if len(bad):
        raise BadTrace(f"ttft_s: {ttft[bad[0]]:g} in row {int(bad[0]) + 1}: give seconds above 0, or leave it empty")
    return TimedRun(measured.trace, frozen(ttft), measured.tpot_s)


def _loops(table: pd.DataFrame, name: str, least_share: float) -> tuple[LoopPoint, ...]:
    numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.argwhere(~(np.isfinite(numbers) & (numbers > 0)))
    if len(bad):
        row, column = (int(part) for part in bad[0])
        value = str(table.iloc[row, column])
        raise BadTrace(f"{table.columns[column]}: {value} in row {row + 1} of {name}: give a number above 0 or drop it")
    return tuple(
        LoopPoint(int(clients), int(prompt), int(output), float(ttft), float(tpot), least_share)
        for clients, prompt, output, ttft, tpot in numbers
    )


def _json(path: Path) -> Mapping[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadTrace(f"path: {path.name}: {error.strerror}; name a file that can be read") from error
    except ValueError as error:
        raise BadTrace(f"content: {path.name}: {error}; give the JSON that `vllm bench serve` saves") from error
    if not isinstance(raw, dict):
        raise BadTrace(f"content: {path.name}: no object; give the JSON that `vllm bench serve` saves")
    return raw


def _benchmark(raw: Mapping[str, Any], name: str) -> Measurements:
    try:
        if all(raw.get(key) for key in DETAILED):
            return _requests(raw)
        if all(raw.get(key) for key in SUMMARY):
            return (_summary(raw, name),)
    except (TypeError, ValueError, IndexError) as error:
        if isinstance(error, BadTrace):
            raise
        raise BadTrace(f"content: {name}: {error}; give the JSON that `vllm bench serve` saves, unchanged") from error
    fix = "run `vllm bench serve` with --save-result --save-detailed, or with --max-concurrency"
    raise BadTrace(f"content: {name}: neither {', '.join(DETAILED)} nor {', '.join(SUMMARY)}; {fix}")


def _requests(raw: Mapping[str, Any]) -> TimedRun:
    """Requests that succeeded, by the time they were sent."""
    sent, ttft = (np.asarray(raw[key], dtype=np.float64) for key in ("start_times", "ttfts"))
    prompt, output = (np.asarray(raw[key], dtype=np.int64) for key in ("input_lens", "output_lens"))
    decoding = np.array([float(np.sum(gaps)) for gaps in raw["itls"]])
    good = (output > 0) & (prompt > 0) & (ttft > 0) & np.isfinite(sent)
    rows = np.flatnonzero(good)[np.argsort(sent[good], kind="stable")]
    if not len(rows):
        raise BadTrace("ttfts: no request succeeded; look into `errors` of the benchmark's result")
    later = output[rows] - 1.0
    tpot: Floats = np.where(later > 0, decoding[rows] / np.maximum(later, 1.0), np.nan)
    trace = RequestTrace(frozen(sent[rows] - sent[rows[0]]), prompt[rows], output[rows])
    return TimedRun(trace, frozen(ttft[rows]), frozen(np.where(tpot > 0, tpot, np.nan)))


def _summary(raw: Mapping[str, Any], name: str) -> LoopPoint:
    if str(raw.get("request_rate", "inf")) != "inf":
        fix = "its summary is not enough; save it with --save-detailed"
        raise BadTrace(f"request_rate: {raw['request_rate']}: {name} was no closed loop, so {fix}")
    completed = int(raw["completed"])
    return LoopPoint(
        clients=min(int(raw["max_concurrency"]), completed),
        prompt_tokens=round(raw["total_input_tokens"] / completed),
        output_tokens=round(raw["total_output_tokens"] / completed),
        ttft_ms=float(raw["mean_ttft_ms"]),
        tpot_ms=float(raw["mean_tpot_ms"]),
        least_share=1.0,
        requests=completed,
    )
