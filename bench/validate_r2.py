"""Closed-loop measurements of dense models against the simulated closed loop, one speed factor per system.

    FORETIDE_DATA=... python bench/validate_r2.py

The rows that count are Llama-3.1-70B FP8 under vLLM on H100 and H200; all other dense rows are reported, worst first.
Rewrites its section of docs/benchmarks/validation.md. Exit status 1 where a target is missed.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from validation_page import write_section

from foretide.simulator.closed import benchmark_lengths, serve_closed
from foretide.simulator.profiles import Deployment, NoProfile, find_profile

CHUNK = 8192
"""`max_num_batched_tokens` of the published runs (InferenceMAX, benchmarks/70b_fp8_h100_docker.sh)."""
REQUESTS_PER_CLIENT = 10
LEAST_SHARE = 0.8
"""Lengths are uniform from this share of ISL and OSL on (InferenceMAX, RANDOM_RANGE_RATIO)."""
TARGETS = {"H100": (0.06, 0.08), "H200": (0.06, 0.18)}
"""System -> mean absolute relative error of TPOT and of mean TTFT."""
DENSE = "Llama-3|Qwen3-32B"
BF16_CACHE = {"H100"}
"""Where the measured runs queue at half the tokens that an FP8 cache would hold: 32 x 8k on TP2 waits 6.5 s."""
SHOWN = 25


@dataclass(frozen=True)
class Row:
    """One measured operating point, and the deployment that stands for it."""

    backend: str
    isl: int
    osl: int
    ttft_ms: float
    tpot_ms: float
    deployment: Deployment

    @property
    def clients(self) -> int:
        return self.deployment.max_num_seqs

    @property
    def system(self) -> str:
        return f"{self.deployment.profile.model} {self.deployment.profile.gpu} {self.backend}"

    @property
    def kv_limited(self) -> bool:
        """All clients at the end of a mean request would not fit into the cache."""
        room = self.deployment.room
        return self.clients * (self.isl + self.osl) * (1 + LEAST_SHARE) / 2 > room

    @property
    def counts(self) -> bool:
        return self.system.startswith("Llama-3.1-70B-FP8") and self.backend == "vllm"


@dataclass(frozen=True)
class Compared:
    row: Row
    factor: float
    ttft_error: float
    tpot_error: float


def model_name(path: str, precision: object) -> str:
    """The profile's name; a row without a precision is taken for the checkpoint's own, bf16."""
    name = path.rsplit("/", 1)[-1].removesuffix("-FP8").removesuffix("-Instruct")
    return f"{name}-{str(precision).upper()}" if isinstance(precision, str) and precision != "bf16" else name


def read_rows(path: Path) -> tuple[list[Row], dict[str, int]]:
    """Dense aggregated rows with a profile, and how many there are without one, by reason."""
    table = pd.read_csv(path)
    table = table[table.model_path.str.contains(DENSE) & (table["mode"] == "agg")]
    rows, without = [], dict[str, int]()
    for given in table.itertuples():
        model, gpu, tp = (
            model_name(given.model_path, given.precision),
            given.system.split("_")[0].upper(),
            given.tp_size,
        )
        try:
            profile = find_profile(model=model, gpu=gpu, tp=int(tp))
        except NoProfile:
            without[f"{model} on {gpu}: no step times"] = without.get(f"{model} on {gpu}: no step times", 0) + 1
            continue
        if not given.concurrency > 0:
            without["no concurrency recorded"] = without.get("no concurrency recorded", 0) + 1
            continue
        halved = model == "Llama-3.1-70B-FP8" and gpu in BF16_CACHE
        deployment = Deployment(
            profile,
            max_num_seqs=int(given.concurrency),
            chunk=CHUNK,
            kv_tokens=profile.kv_tokens // 2 if halved else None,
        )
        times = (float(given.silicon_ttft_ms), float(given.silicon_tpot_ms))
        rows.append(Row(given.backend, int(given.isl), int(given.osl), *times, deployment))
    return rows, without


def compare(row: Row, factor: float) -> Compared:
    """One closed loop at one speed; the same seed for every row and factor."""
    rng = np.random.default_rng(0)
    count = REQUESTS_PER_CLIENT * row.clients
    prompts, outputs = (
        benchmark_lengths(tokens=tokens, count=count, least_share=LEAST_SHARE, rng=rng) for tokens in (row.isl, row.osl)
    )
    found = serve_closed(
        deployment=replace(row.deployment, speed_factor=factor),
        clients=row.clients,
        prompt_tokens=prompts,
        output_tokens=outputs,
    )
    return Compared(
        row,
        factor,
        ttft_error=1000 * float(found.ttft_s.mean()) / row.ttft_ms - 1,
        tpot_error=1000 * float(np.nanmean(found.tpot_s)) / row.tpot_ms - 1,
    )


def fit(rows: Sequence[Row]) -> float:
    """The factor at which TPOT is right in the geometric mean."""

    def excess(factor: float) -> float:
        return float(np.mean([np.log1p(compare(row, factor).tpot_error) for row in rows]))

    return float(brentq(excess, 0.3, 4.0, xtol=1e-3))


def mape(compared: Sequence[Compared]) -> tuple[float, float]:
    """Mean absolute relative errors of TPOT and of TTFT."""
    tpot, ttft = ([abs(getattr(each, name)) for each in compared] for name in ("tpot_error", "ttft_error"))
    return float(np.mean(tpot)), float(np.mean(ttft))


def held_out(rows: Sequence[Row]) -> tuple[float, float]:
    """The same errors where each degree of parallelism is predicted with the factor of the others."""
    degrees = sorted({row.deployment.profile.tp for row in rows})
    compared: list[Compared] = []
    for tp in degrees:
        factor = fit([row for row in rows if row.deployment.profile.tp != tp])
        compared += [compare(row, factor) for row in rows if row.deployment.profile.tp == tp]
    return mape(compared)


def target_table(rows: Sequence[Row]) -> tuple[list[str], list[Compared], float]:
    """Lines, every row of these systems as compared, and the worst error over its target."""
    lines = [
        "| system | rows | factor | TPOT | target | ratio | mean TTFT | target | ratio | held out TPOT, TTFT |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    everything: list[Compared] = []
    worst = 0.0
    for gpu, (tpot_target, ttft_target) in TARGETS.items():
        every = [row for row in rows if row.counts and row.deployment.profile.gpu == gpu]
        free = [row for row in every if not row.kv_limited]
        factor = fit(free)
        (tpot, ttft), other = mape([compare(row, factor) for row in free]), held_out(free)
        worst = max(worst, tpot / tpot_target, ttft / ttft_target)
        lines.append(
            f"| {gpu} | {len(free)} | {factor:.3f} | {percent(tpot)} | {percent(tpot_target)} "
            f"| {tpot / tpot_target:.2f} | {percent(ttft)} | {percent(ttft_target)} | {ttft / ttft_target:.2f} "
            f"| {percent(other[0])}, {percent(other[1])} |"
        )
        compared = [compare(row, factor) for row in every]
        lines.append(beside(f"{gpu}, KV-limited rows too", compared, factor))
        everything += compared
    return [*lines, other_cache(rows)], everything, worst


def other_cache(rows: Sequence[Row]) -> str:
    """H100 again, with the cache that its profile has: how much the inferred one matters."""
    halved = [row for row in rows if row.counts and row.deployment.kv_tokens is not None]
    whole = [replace(row, deployment=replace(row.deployment, kv_tokens=None)) for row in halved]
    free = [row for row in whole if not row.kv_limited]
    factor = fit(free)
    return beside("H100 with a cache in FP8", [compare(row, factor) for row in free], factor)


def beside(name: str, compared: Sequence[Compared], factor: float) -> str:
    """A line without targets."""
    tpot, ttft = mape(compared)
    return f"| {name} | {len(compared)} | {factor:.3f} | {percent(tpot)} | | | {percent(ttft)} | | | |"


def others(rows: Sequence[Row]) -> list[Compared]:
    """Every other dense row, with one factor per model, GPU and engine, fitted where the cache does not limit."""
    compared: list[Compared] = []
    for system in sorted({row.system for row in rows}):
        part = [row for row in rows if row.system == system]
        factor = fit([row for row in part if not row.kv_limited] or part)
        compared += [compare(row, factor) for row in part]
    return compared


def system_table(compared: Sequence[Compared]) -> list[str]:
    lines = ["| model, GPU, engine | rows | factor | TPOT | mean TTFT |", "|---|---|---|---|---|"]
    by_system: dict[str, list[Compared]] = {}
    for each in compared:
        by_system.setdefault(each.row.system, []).append(each)
    for system, part in sorted(by_system.items(), key=lambda item: -mape(item[1])[0]):
        tpot, ttft = mape(part)
        lines.append(f"| {system} | {len(part)} | {part[0].factor:.2f} | {percent(tpot)} | {percent(ttft)} |")
    return lines


def row_table(compared: Sequence[Compared], *, most: int | None) -> list[str]:
    """Worst first, by the larger of the two errors."""
    lines = ["| row | measured TTFT, TPOT (ms) | TTFT error | TPOT error |", "|---|---|---|---|"]
    ordered = sorted(compared, key=lambda each: -max(abs(each.tpot_error), abs(each.ttft_error)))
    for each in ordered[:most]:
        row = each.row
        point = f"{row.system} TP{row.deployment.profile.tp}, {row.isl}/{row.osl}, {row.clients} clients"
        limited = ", KV-limited" if row.kv_limited else ""
        lines.append(
            f"| {point}{limited} | {row.ttft_ms:,.0f}, {row.tpot_ms:.1f} "
            f"| {100 * each.ttft_error:+.1f} % | {100 * each.tpot_error:+.1f} % |"
        )
    return lines


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def main() -> int:
    rows, without = read_rows(Path(os.environ["FORETIDE_DATA"]) / "profiles/measured_ttft_tpot_silicon.csv.gz")
    targets, counted, worst = target_table(rows)
    named = {each.row.system for each in counted}
    rest = others([row for row in rows if row.system not in named])
    lines = [
        "## Closed-loop measurements (bench/validate_r2.py)",
        "",
        "Mean TTFT and TPOT of c clients in a closed loop, 10 c requests, lengths uniform in 0.8 to 1 of ISL and OSL,",
        "8192 tokens per step. Errors are mean absolute relative ones. One speed factor per system makes TPOT right in",
        "the geometric mean; held out: each TP predicted with the factor of the others.",
        "",
        "Llama-3.1-70B FP8, vLLM, rows that the KV cache does not limit. The cache of H100 is taken for bf16, of H200",
        "for FP8: that is inferred from where the measured runs begin to queue, not recorded with them.",
        "",
        *targets,
        "",
        "The same rows, worst first, with those that the cache limits:",
        "",
        *row_table(counted, most=SHOWN),
        "",
        "All other dense rows with step times, one factor per model, GPU and engine. Their engines' settings and",
        "lengths are not recorded; those above, and vLLM's order of work, are taken for all of them:",
        "",
        *system_table(rest),
        "",
        f"The {SHOWN} worst of these {len(rest)} rows:",
        "",
        *row_table(rest, most=SHOWN),
        "",
        f"Not compared: {'; '.join(f'{count} x {reason}' for reason, count in sorted(without.items()))}.",
    ]
    print("\n".join(lines))
    write_section("r2", lines)
    return int(worst > 1.0)


if __name__ == "__main__":
    sys.exit(main())
