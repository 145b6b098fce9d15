"""What a forecast by the network costs, beside the ladder's other tiers in the same run.

    python bench/forecast_cost.py --network DIR [--workloads 500]

DIR holds a checked artifact. One core (the process pins itself to one). Rewrites docs/benchmarks/forecast-cost.md; exit
status 1 where a target is missed. Processor time beside the clock's, because machines are shared. Fine-tuning and the
equality of weights and graph need the extra `train`; without it they are left out, and the page says so.
"""

import argparse
import http.client
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.random import default_rng

from foretide.forecaster.ets import DampedTrend
from foretide.forecaster.network.card import TOLERANCE
from foretide.forecaster.network.features import window_of_pasts
from foretide.forecaster.network.pool import BATCH, Ask, Pool
from foretide.forecaster.network.schema import digest
from foretide.forecaster.network.session import Session, opened
from foretide.forecaster.network.tier import NetworkTier
from foretide.forecaster.network.wire import Question, packed_question
from foretide.forecaster.past import Past, past_of
from foretide.forecaster.persistence import PersistenceBootstrap
from foretide.forecaster.recent import Recent
from foretide.forecaster.seasonal import SeasonalWindows
from foretide.forecaster.tier import Tier
from foretide.policies.flow import DemandHistory, Trust, frozen

PAGE = Path(__file__).parents[1] / "docs/benchmarks/forecast-cost.md"
PATHS, STEP, HORIZON = 256, 30.0, 60
CALLS = 60
P95_MS, BATCHED_S, MEMORY_MB = 60.0, 10.0, 150.0
"""What issue 5 asks for: 256 paths of one workload, 500 workloads at once, the serving process."""
TUNED_S, TUNED_MB, TUNED_DAYS = 120.0, 1000.0, 14
"""And for fine-tuning one workload; on so many days by the minute, with the command's own settings."""
WINDOWS = 1000
"""Windows on which weights and graph are compared."""


def past(seed: int, *, days: float = 2.0) -> Past:
    """A day's wave with Poisson noise on the operator's grid."""
    rows, rng = round(days * 86400 / STEP), default_rng(seed)
    wave = 20 * (1 + 0.7 * np.sin(2 * np.pi * (np.arange(rows) * STEP / 86400 + seed / 7)))
    rate = rng.poisson(wave * STEP) / STEP
    values = np.column_stack([rate, 1000 * rate, 200 * rate])
    return past_of(DemandHistory(0.0, STEP, frozen(values), Trust.FRESH))


def took(work: Callable[[int], object], calls: int = CALLS) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds of the clock and of the processor, per call; the first call, with its imports, is left out."""
    clock, processor = [], []
    for call in range(calls + 1):
        begun, spent = time.perf_counter(), time.process_time()
        work(call)
        clock.append(1000 * (time.perf_counter() - begun))
        processor.append(1000 * (time.process_time() - spent))
    return np.array(clock[1:]), np.array(processor[1:])


def tier_rows(pool: Pool) -> tuple[list[str], float]:
    """One workload by every tier; the network's 95 % quantile by the processor."""
    seen = past(1)
    tiers: list[Tier] = [PersistenceBootstrap(), Recent(), SeasonalWindows(), DampedTrend(), NetworkTier(pool, "one")]
    found = []
    for tier in tiers:

        def work(call: int, tier: Tier = tier) -> None:
            made = tier.paths(past=seen, horizon=HORIZON, count=PATHS, rng=default_rng(call))
            assert made is not None, f"{tier.name} does not answer"

        found.append((tier.name, *took(work)))
    base = float(np.median(found[0][2]))
    rows = [
        f"| {name} | {np.median(clock):.1f} | {np.quantile(clock, 0.95):.1f} | {np.median(processor):.1f} "
        f"| {np.quantile(processor, 0.95):.1f} | {np.median(processor) / base:.1f} |"
        for name, clock, processor in found
    ]
    return rows, float(np.quantile(found[-1][2], 0.95))


def batched(pool: Pool, workloads: int) -> tuple[float, float, float]:
    """Seconds by the clock and by the processor for all workloads, asked ahead and read; and MB that came with it."""
    asks = [Ask(f"w/{i}", past(i), HORIZON, PATHS, seed=i) for i in range(workloads)]
    before, begun, spent = resident_mb(), time.perf_counter(), time.process_time()
    for first in range(0, workloads, BATCH):
        part = asks[first : first + BATCH]
        pool.prefetch(part)
        for ask in part:
            assert pool.answer(ask) is not None, pool.trouble
    assert pool.read_ahead >= workloads
    return time.perf_counter() - begun, time.process_time() - spent, resident_mb() - before


def resident_mb(pid: int | str = "self", field: str = "VmRSS") -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1000 for line in lines if line.startswith(f"{field}:"))


def service_mb(folder: Path, session: Session, workloads: int) -> tuple[float, float, float]:
    """Peak MB of `foretide forecast serve` after so many workloads, MB before the first, and seconds that they took."""
    code = "from foretide.cli.main import run; run()"
    command = [sys.executable, "-c", code, "forecast", "serve", "--network", str(folder), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            start = resident_mb(process.pid)
            port = int(line.rsplit(":", 1)[1])
            begun = time.perf_counter()
            for first in range(0, workloads, BATCH):
                ask(port, session, [past(i) for i in range(first, min(workloads, first + BATCH))])
            return resident_mb(process.pid, "VmHWM"), start, time.perf_counter() - begun
        finally:
            process.terminate()


def ask(port: int, session: Session, pasts: list[Past]) -> None:
    arrays = window_of_pasts(pasts, session.schema).arrays
    body = packed_question(Question(digest(session.schema), arrays, tuple(range(len(pasts))), PATHS))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", f"/v1/paths/{session.schema.head}", body=body)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status == 200, answer[:200]


def fine_tuned(folder: Path) -> tuple[float, float, float, str]:
    """Seconds by the clock and by the processor, peak MB, and what it earned, of `foretide forecast train`."""
    seen = past(3, days=TUNED_DAYS).known
    rows = seen.reshape(-1, round(60 / STEP), seen.shape[1]).mean(axis=1)
    with TemporaryDirectory() as place:
        series = Path(place) / "demand.csv"
        table = np.column_stack([np.arange(len(rows)) * 60.0, rows])
        np.savetxt(series, table, "%.6g", ",", header="time,requests,prompt_tokens,output_tokens", comments="")
        code = "from foretide.cli.main import run; run()"
        given = [
            "--series",
            str(series),
            "--time",
            "time",
            "--from",
            str(folder),
            "--out",
            f"{place}/out",
            "-o",
            "json",
        ]
        begun = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", code, "forecast", "train", *given], stdout=subprocess.PIPE)
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, "fine-tuning failed"
        earned = f"{told['before']:.4f} -> {told['after']:.4f}"
        return time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000, earned


def apart(folder: Path, session: Session) -> float:
    """Largest difference between weights and graph on windows of 50 workloads: young, holed and bursty ones too."""
    from foretide.forecaster.network.card import read_checked
    from foretide.forecaster.network.examples import Hardening, examples_of
    from foretide.forecaster.network.export import answer, network_of
    from foretide.forecaster.network.workloads import generated

    card, schema, worst = session.card, session.schema, 0.0
    weights = read_checked(folder, schema.head, "safetensors", card.safetensors_sha256)
    network = network_of(schema, card.config, weights)
    for seed in range(50):
        rng = default_rng([seed, 99])
        workload = generated(rows=9 * 1440, step_s=schema.step_s, rng=rng)
        origins = np.sort(rng.integers(12, len(workload.values) - schema.horizon, WINDOWS // 50))
        arrays = examples_of(workload, origins, schema, rng=rng, hardening=Hardening()).arrays
        noise = rng.standard_normal((len(origins), 8, schema.dimensions)).astype(np.float32)
        worst = max(worst, float(np.abs(session.paths(arrays, noise) - answer(network, arrays, noise)).max()))
    return worst


def trained_rows(folder: Path, session: Session) -> tuple[list[str], bool]:
    """What needs torch, as rows of the table; and whether a target was missed."""
    if find_spec("torch") is None:
        return ["| fine-tuning, weights against graph | not measured: no extra `train` | |"], False
    clock, processor, peak, earned = fine_tuned(folder)
    worst = apart(folder, session)
    rows = [
        f"| fine-tuning on {TUNED_DAYS} days by the minute, of the processor | {processor:.0f} s | {TUNED_S:.0f} s |",
        f"| the same by the clock | {clock:.0f} s | |",
        f"| peak of fine-tuning | {peak:.0f} MB | {TUNED_MB:.0f} MB |",
        f"| its score on the newest fifth, not trained on, before and after (less is better) | {earned} | |",
        f"| weights against graph, largest difference on {WINDOWS:,} windows | {worst:.1e} | {TOLERANCE:.0e} |",
    ]
    return rows, processor > TUNED_S or peak > TUNED_MB or worst > TOLERANCE


def page(folder: Path, workloads: int) -> tuple[str, bool]:
    session = opened(folder, "replica")
    bare = resident_mb()
    rows, p95 = tier_rows(Pool([session]))
    clock, processor, grown = batched(Pool([session]), workloads)
    peak, idle, served = service_mb(folder, session, workloads)
    card = session.card
    allowed = BATCHED_S * workloads / 500
    trained, failed = trained_rows(folder, session)
    missed = failed or p95 > P95_MS or processor > allowed or peak > MEMORY_MB
    busy, cores = os.getloadavg()[0], os.cpu_count()
    lines = [
        "# What a forecast by the network costs",
        "",
        "Written by `python bench/forecast_cost.py --network DIR`; do not edit.",
        "",
        f"Network `{card.name}`, {card.parameters:,} parameters, head `replica`: {PATHS} joint paths of three",
        f"indicators over {HORIZON * STEP / 60:.0f} minutes, on the operator's grid of {STEP:.0f} s.",
        f"One core of {platform.machine()}, at a load of {busy:.1f} on {cores} cores:",
        "where the clock says more than the processor, others had the core.",
        "",
        "| tier, one workload | median ms | p95 ms | median ms of the processor | p95 | times the first |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        "| what | found | target |",
        "|---|---|---|",
        f"| {PATHS} paths, one workload, p95 of the processor | {p95:.0f} ms | {P95_MS:.0f} ms |",
        f"| {workloads} workloads at once, of the processor | {processor:.1f} s | {allowed:.0f} s |",
        f"| the same by the clock | {clock:.1f} s | |",
        f"| {workloads} workloads over HTTP, by the clock | {served:.1f} s | |",
        f"| `foretide forecast serve` before the first | {idle:.0f} MB | |",
        f"| peak of `foretide forecast serve` after them | {peak:.0f} MB | {MEMORY_MB:.0f} MB |",
        f"| this process with the graph | {bare:.0f} MB | |",
        f"| what {workloads} workloads added to it, their histories included | {grown:.0f} MB | |",
        *trained,
        "",
        "Not in these figures: reading metrics, the decision, and the rehearsal of a ladder after a start (up to 60",
        "forecasts of its tail per target, once).",
        "",
    ]
    return "\n".join(lines), missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--workloads", type=int, default=500)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    text, missed = page(arguments.network, arguments.workloads)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
