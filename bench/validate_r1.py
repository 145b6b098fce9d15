"""Real vLLM runs, request by request: one speed factor from the first 60 requests, the other 240 predicted.

    FORETIDE_DATA=... python bench/validate_r1.py

Rewrites its section of docs/benchmarks/validation.md. Exit status 1 where an error exceeds its target.
"""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from validation_page import write_section

from foretide.simulator.calibrate import fit_speed_factor, read_measured, simulate
from foretide.simulator.profiles import Deployment, find_profile

FITTED = 60
METRICS = (("ttft_s", "TTFT"), ("tpot_s", "TPOT"), ("e2e_s", "latency"))
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    name: str
    file: str
    deployment: Deployment
    target: float
    """The largest relative error that is allowed."""


RUNS = (
    Run(
        "Llama-3.1-8B, RTX PRO 6000",
        "vllm_run_rtxpro6000_llama-3.1-8b_requests.csv.gz",
        Deployment(find_profile(model="Llama-3.1-8B", gpu="RTX-PRO-6000", tp=1), max_num_seqs=128),
        0.03,
    ),
    Run(
        "Qwen3-32B, 2 x RTX PRO 6000",
        "vllm_run_rtxpro6000_qwen3-32b_requests.csv.gz",
        Deployment(find_profile(model="Qwen3-32B", gpu="RTX-PRO-6000", tp=2), max_num_seqs=128),
        0.03,
    ),
    Run(
        "Llama-3.1-8B, RTX 4090, KV cache full",
        "vllm_run_rtx4090_llama-3.1-8b_requests.csv.gz",
        Deployment(find_profile(model="Llama-3.1-8B", gpu="RTX-4090", tp=1), max_num_seqs=256),
        0.06,
    ),
)


TRIED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("blocks of 16", {}),
    ("tokens", {"block_tokens": 1}),
    ("blocks of 16, reused after a preemption", {"prefix_cache": True}),
)


def figures(times: Array) -> Array:
    """Mean, p50, p90, p99."""
    return np.array([times.mean(), *np.percentile(times, [50, 90, 99])])


def table_of(run: Run, folder: Path) -> tuple[list[str], float]:
    """Lines of a table, and the worst error over its target."""
    path = folder / "profiles" / run.file
    measured, table = read_measured(path), pd.read_csv(path)
    factor = fit_speed_factor(deployment=run.deployment, measured=measured, first=FITTED)
    found = simulate(deployment=replace(run.deployment, speed_factor=factor), trace=measured.trace, replicas=1)
    lines, worst = [], 0.0
    for column, name in METRICS:
        real = figures(table[column].to_numpy()[FITTED:])
        error = figures(np.asarray(getattr(found, column))[FITTED:]) / real - 1.0
        over = float(np.abs(error).max()) / run.target
        worst = max(worst, over)
        cells = " | ".join(
            f"{1000 * value:,.1f} ({100 * wrong:+.1f} %)" for value, wrong in zip(real, error, strict=True)
        )
        lines.append(f"| {run.name}, factor {factor:.3f} | {name} | {cells} | {100 * run.target:.0f} % | {over:.2f} |")
    return lines, worst


def tried(folder: Path) -> list[str]:
    """The worst error of each run with memory counted in other ways."""
    lines = ["Worst errors with memory counted in other ways:", "", f"| memory | {' | '.join(r.name for r in RUNS)} |"]
    lines.append("|---|" + "---|" * len(RUNS))
    for name, changes in TRIED:
        runs = [replace(run, deployment=replace(run.deployment, **changes)) for run in RUNS]
        worst = " | ".join(f"{100 * table_of(run, folder)[1] * run.target:.1f} %" for run in runs)
        lines.append(f"| {name} | {worst} |")
    return lines


def main() -> int:
    folder = Path(os.environ["FORETIDE_DATA"])
    lines = [
        "## Real vLLM runs (bench/validate_r1.py)",
        "",
        "300 ShareGPT requests at 10 per second against vLLM 0.19, overloaded on purpose. One speed factor is fitted",
        f"to the mean TPOT of the first {FITTED} requests; the rows below are about the other 240. Measured",
        "milliseconds, with the simulated error in brackets; the last column is the largest error over the target.",
        "",
        "| run | metric | mean | p50 | p90 | p99 | target | worst / target |",
        "|---|---|---|---|---|---|---|---|",
    ]
    worst = 0.0
    for run in RUNS:
        rows, over = table_of(run, folder)
        lines, worst = lines + rows, max(worst, over)
    lines += ["", "Memory is counted in blocks of 16 tokens, and nothing is reused after a preemption.", *tried(folder)]
    print("\n".join(lines))
    write_section("r1", lines)
    return int(worst > 1.0)


if __name__ == "__main__":
    sys.exit(main())
