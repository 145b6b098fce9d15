"""Profiles fitted to real measurements, and how well they predict the measurements that they have not seen.

    FORETIDE_DATA=... python bench/validate_profiles.py

Step tables: every second point is fitted, the others are predicted. vLLM runs: the first 60 requests are fitted, the
other 240 predicted, beside the one factor of R1. Closed loops: every second row is fitted, the others predicted, beside
one factor fitted to the same rows. Rewrites its section of docs/benchmarks/validation.md.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from validate_r1 import FITTED, METRICS, RUNS, Run, figures
from validate_r2 import CHUNK
from validation_page import write_section

from foretide.simulator.calibrate import fit_speed_factor, read_measured, simulate
from foretide.simulator.fit import Fitted, NothingToFit, fit_steps
from foretide.simulator.measured import TimedRun, observe_loops, observe_run
from foretide.simulator.measurements import read_measurements
from foretide.simulator.observed import Observed, joined, only
from foretide.simulator.points import Points, observe_points
from foretide.simulator.profiles import Deployment, StepTimes, find_profile
from foretide.simulator.windows import Windows, observe_windows

FOLDER = Path(os.environ["FORETIDE_DATA"]) / "profiles"
SILICON = "measured_ttft_tpot_silicon.csv.gz"
SEATS = 1024
"""`max_num_seqs` above every measured concurrency."""
ROWS_AT_LEAST = 8
FLOP_8B = 2 * 8.03e9
"""Per token: two for each parameter."""
PEAK_H200_FP8 = 1.979e15
"""FLOP/s, dense, as the vendor states it."""


@dataclass(frozen=True)
class Table:
    """Step times of one deployment, and the shipped profile that the fit begins with: model, GPU, TP."""

    name: str
    files: tuple[str, ...]
    where: dict[str, str]
    prior: tuple[str, str, int]


TABLES = (
    Table(
        "Llama-3.1-8B FP8, H200, vLLM (Dynamo's profiling)",
        ("dynamo_h200_llama31_8b_fp8_decode.csv.gz", "dynamo_h200_llama31_8b_fp8_prefill.csv.gz"),
        {},
        ("Llama-3.1-8B-FP8", "H200", 1),
    ),
    Table(
        "Llama-3.1-8B, 4 x A100, prompts (SageServe)",
        ("sageserve_llama31_8b_a100_tp4_prefill.csv.gz",),
        {},
        ("Llama-3.1-8B", "A100", 1),
    ),
    *(
        Table(
            f"Llama-3.1-8B, {tp} x A100 (SageServe)",
            ("sageserve_llama3_a100.csv.gz",),
            {"model": "Llama-3.1-8B", "tensor_parallel": tp},
            ("Llama-3.1-8B", "A100", 1),
        )
        for tp in ("2", "4")
    ),
    *(
        Table(
            f"Llama-2-70B, 8 x {gpu} (Splitwise, vLLM of 2023)",
            ("splitwise_a100_h100.csv.gz",),
            {"model": "llama2-70b", "hardware": f"{gpu.lower()}-80gb", "tensor_parallel": "8"},
            ("Llama-3.1-70B", gpu, 8),
        )
        for gpu in ("A100", "H100")
    ),
)


def halves(points: Points) -> tuple[Points, Points]:
    """Every second distinct point, and the others; repetitions stay together."""
    seen = np.column_stack([points.decodes, points.requests, points.tokens])
    odd = np.unique(seen, axis=0, return_inverse=True)[1].reshape(-1) % 2 == 1
    return taken(points, ~odd), taken(points, odd)


def taken(points: Points, rows: NDArray[np.bool_]) -> Points:
    return Points(points.decodes[rows], points.requests[rows], points.tokens[rows], points.measured_ms[rows])


def errors(observed: Observed, steps: StepTimes) -> dict[str, float]:
    """Mean absolute relative error by metric."""
    off = np.abs(observed.predict(steps) / observed.measured_ms - 1.0)
    return {str(name): float(off[observed.metric == name].mean()) for name in np.unique(observed.metric)}


def percents(found: dict[str, float], names: Sequence[str]) -> str:
    return " | ".join(f"{100 * found[name]:.1f} %" if name in found else "" for name in names)


def fitted(observed: Observed, prior: StepTimes) -> tuple[StepTimes, str]:
    """The steps and the form; the prior where the data asks for nothing else."""
    try:
        found: Fitted = fit_steps(observed, prior)
    except NothingToFit:
        return prior, "the prior as it is"
    return found.steps, found.form


def step_lines() -> list[str]:
    names = ("decode", "prefill")
    lines = [
        "| table | points fitted, predicted | form | decode | prefill | prior: decode | prefill |",
        "|---|---|---|---|---|---|---|",
    ]
    for table in TABLES:
        read = [read_measurements(FOLDER / file, where=table.where) for file in table.files]
        parts = [halves(points) for points in read if isinstance(points, Points)]
        seen, rest = (joined([observe_points(part[side]) for part in parts]) for side in (0, 1))
        model, gpu, tp = table.prior
        prior = find_profile(model=model, gpu=gpu, tp=tp).steps
        steps, form = fitted(seen, prior)
        lines.append(
            f"| {table.name} | {len(seen)}, {len(rest)} | {form} | {percents(errors(rest, steps), names)} "
            f"| {percents(errors(rest, prior), names)} |"
        )
    return lines


def run_lines(run: Run) -> list[str]:
    path = FOLDER / run.file
    measured, table = read_measured(path), pd.read_csv(path)
    timed = TimedRun(measured.trace, table["ttft_s"].to_numpy(), measured.tpot_s)
    steps, form = fitted(observe_run(timed, run.deployment, first=FITTED), run.deployment.profile.steps)
    factor = fit_speed_factor(deployment=run.deployment, measured=measured, first=FITTED)
    both = {
        form: replace(run.deployment, profile=replace(run.deployment.profile, steps=steps)),
        f"R1's factor {factor:.3f}": replace(run.deployment, speed_factor=factor),
    }
    lines = []
    for name, deployment in both.items():
        found = simulate(deployment=deployment, trace=measured.trace, replicas=1)
        cells = []
        for column, _ in METRICS:
            real = figures(table[column].to_numpy()[FITTED:])
            off = figures(np.asarray(getattr(found, column))[FITTED:]) / real - 1.0
            cells.append(", ".join(f"{100 * each:+.1f}" for each in off))
        lines.append(f"| {run.name} | {name} | {' | '.join(cells)} |")
    return lines


def log_lines(run: Run) -> list[str]:
    """The engine's log, a line a second, fitted; then the requests' own times, which the fit has not seen."""
    table = pd.read_csv(FOLDER / run.file)
    log = pd.read_csv(FOLDER / run.file.replace("requests", "timeseries"))
    log = log[(log.running > 0) & (log.gen_throughput > 0)]
    lasted = table.e2e_s - table.ttft_s
    context = float(np.average(table.prompt_tokens + table.output_tokens / 2, weights=lasted))
    kv_tokens = run.deployment.profile.kv_tokens
    windows = Windows(
        step_ms=1000.0 * (log.running / log.gen_throughput).to_numpy(),
        decodes=log.running.to_numpy(dtype=np.float64),
        cache_used=(log.running * context / kv_tokens).to_numpy(),
        prompt_tokens_per_s=log.prompt_throughput.to_numpy(),
        mean_prompt=float(table.prompt_tokens.mean()),
    )
    prior = run.deployment.profile.steps
    steps, form = fitted(observe_windows(windows, chunk=run.deployment.chunk, kv_tokens=kv_tokens), prior)
    found = simulate(
        deployment=replace(run.deployment, profile=replace(run.deployment.profile, steps=steps)),
        trace=read_measured(FOLDER / run.file).trace,
        replicas=1,
    )
    cells = []
    for column, _ in METRICS:
        off = figures(np.asarray(getattr(found, column))) / figures(table[column].to_numpy()) - 1.0
        cells.append(", ".join(f"{100 * each:+.1f}" for each in off))
    typical = {"decodes": 64, "context": 1024.0}
    ratio = steps.decode_ms(**typical) / prior.decode_ms(**typical)
    return [f"| {run.name} | {len(log)} | {form} | {ratio:.3f} | {' | '.join(cells)} |"]


def loop_systems() -> list[tuple[str, str, str, int]]:
    """Name of the profile, checkpoint, system and TP with enough rows: vLLM, one replica for both phases."""
    table = pd.read_csv(FOLDER / SILICON)
    wanted = table[
        (table["mode"] == "agg")
        & (table.backend == "vllm")
        & (table.precision == "fp8")
        & table.model_path.str.contains("Llama-3.*(?:8B|70B)", regex=True)
        & table.system.isin(["h100_sxm", "h200_sxm"])
    ]
    counted = wanted.groupby(["model_path", "system", "tp_size"]).size()
    systems = []
    for (path, system, tp), count in counted.items():
        if count >= ROWS_AT_LEAST:
            name = path.rsplit("/", 1)[-1].removesuffix("-FP8").removesuffix("-Instruct").replace("3.3", "3.1")
            systems.append((f"{name}-FP8", path, system, int(tp)))
    return systems


def loop_line(name: str, path: str, system: str, tp: int) -> str:
    where = {"mode": "agg", "backend": "vllm", "precision": "fp8", "model_path": path, "system": system}
    rows = read_measurements(FOLDER / SILICON, where=where | {"tp_size": str(tp)})
    assert isinstance(rows, tuple)
    ordered = sorted(rows, key=lambda row: (row.prompt_tokens, row.output_tokens, row.clients))
    gpu = system.split("_", maxsplit=1)[0].upper()
    profile = find_profile(model=name, gpu=gpu, tp=tp)
    halved = gpu == "H100" and name.startswith("Llama-3.1-70B")
    deployment = Deployment(
        profile, max_num_seqs=SEATS, chunk=CHUNK, kv_tokens=profile.kv_tokens // 2 if halved else None
    )
    seen, rest = (observe_loops(ordered[side::2], deployment) for side in (0, 1))
    steps, form = fitted(seen, profile.steps)
    one = scaled(profile.steps, factor_of(seen, profile.steps))
    names = ("tpot", "ttft")
    return (
        f"| {name}, {gpu} TP{tp} | {len(ordered[::2])}, {len(ordered[1::2])} | {form} "
        f"| {percents(errors(rest, steps), names)} | {percents(errors(rest, one), names)} "
        f"| {percents(errors(rest, profile.steps), names)} |"
    )


def reuse_lines() -> list[str]:
    """Why Llama-3.1-8B FP8 on H200 does not fit: its TPOT alone, and what a prefill would have to be for it."""
    where = {"mode": "agg", "backend": "vllm", "precision": "fp8", "system": "h200_sxm", "tp_size": "1"}
    rows = read_measurements(FOLDER / SILICON, where=where | {"model_path": "nvidia/Llama-3.1-8B-Instruct-FP8"})
    assert isinstance(rows, tuple)
    profile = find_profile(model="Llama-3.1-8B-FP8", gpu="H200", tp=1)
    observed = only(observe_loops(rows, Deployment(profile, max_num_seqs=SEATS, chunk=CHUNK)), "tpot")
    found, prior = fit_steps(observed, profile.steps), profile.steps
    decode = found.steps.decode_a_ms / prior.decode_a_ms
    prefill = found.steps.prefill_b_ms / prior.prefill_b_ms
    rate = 1000.0 / found.steps.prefill_b_ms
    peaks = rate * FLOP_8B / PEAK_H200_FP8
    held, before = (100 * errors["tpot"] for errors in (found.held_out, found.prior_held_out))
    return [
        f"The {len(rows)} rows of Llama-3.1-8B FP8 on one H200, TPOT alone: {found.form},",
        f"decode x {decode:.2f} and prefill x {prefill:.2f}; the held-out error is {held:.1f} %, the shipped profile's",
        f"{before:.1f} %. Such a prefill computes {rate:,.0f} tokens per second, {peaks:.1f} times the GPU's FP8 peak:",
        "most prompt tokens cannot have been computed, but were reused.",
    ]


def factor_of(observed: Observed, steps: StepTimes) -> float:
    """One factor that makes TPOT right in the geometric mean, as R2 has it."""
    kind = observed.metric == "tpot"
    factor = 1.0
    for _ in range(4):
        off = np.log(observed.predict(scaled(steps, factor))[kind] / observed.measured_ms[kind])
        factor /= float(np.exp(off.mean()))
    return factor


def scaled(steps: StepTimes, factor: float) -> StepTimes:
    names = ("decode_a_ms", "decode_b_ms", "decode_c_ms", "prefill_a_ms", "prefill_b_ms", "prefill_c_ms", "expert_d_ms")
    return replace(steps, **{name: factor * getattr(steps, name) for name in names})


def main() -> int:
    lines = [
        "## Profiles fitted to measurements (bench/validate_profiles.py)",
        "",
        "`foretide profile fit` on real data, judged by measurements that the fit has not seen. The form is the",
        "simplest one that is within a standard error of the best on rows held out of the fitted half.",
        "",
        "Step tables: every second distinct point is fitted and the others are predicted; mean absolute relative",
        "errors, and those of the shipped profile that the fit begins with. SageServe's and Splitwise's priors are of",
        "another TP or of the model's successor, so that their own errors say little. In SageServe's tables 2 prompts",
        "of 128 tokens take twice as long as 1, and 32 no longer than 2: no time per token follows that.",
        "",
        *step_lines(),
        "",
        f"vLLM runs: the first {FITTED} requests are fitted, the other 240 simulated. Errors, %: mean, p50, p90, p99.",
        "",
        "| run | fit | TTFT | TPOT | latency |",
        "|---|---|---|---|---|",
        *[line for run in RUNS for line in run_lines(run)],
        "",
        "The same runs from the engine's log alone (running requests, tokens per second, a line a second; cache and",
        "prompt lengths from the requests): the ratio of a decode step of 64 requests at 1,024 tokens to the prior's,",
        "and the errors of all 300 requests, whose times the fit has not seen. Where the cache is full, requests are",
        "preempted and computed again, which the form for a second does not know:",
        "",
        "| run | seconds | form | ratio | TTFT | TPOT | latency |",
        "|---|---|---|---|---|---|---|",
        *[line for run in RUNS for line in log_lines(run)],
        "",
        "Closed loops under vLLM, settings as in R2: every second row (by lengths and clients) is fitted, the others",
        "are predicted. Mean absolute relative errors of the fit, of one factor fitted to the TPOT of the same rows,",
        "and of the shipped profile.",
        "",
        "| system | rows fitted, predicted | form | TPOT | TTFT | one factor: TPOT | TTFT | shipped: TPOT | TTFT |",
        "|---|---|---|---|---|---|---|---|---|",
        *[loop_line(*system) for system in loop_systems()],
        "",
        *reuse_lines(),
    ]
    print("\n".join(lines))
    write_section("profiles", lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
