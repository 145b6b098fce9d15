"""Requests simulated per second and core, the memory of a week of traffic, and the same beside other simulators.

    FORETIDE_DATA=... python bench/speed.py [--splitwise-sim DIR] [--distserve DIR] [--python PYTHON]

DIR is a checkout of SplitwiseSim or DistServe; PYTHON has what they require. They simulate the same arrivals and
lengths in the same run. Rewrites docs/benchmarks/speed.md.

Seconds are of processor time, so that a busy machine does not count. What is NOT promised: that the machine is yours.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from validation_page import write_section

from foretide.policies.flow import frozen
from foretide.simulator.fleet import Fleet, StartTier
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.replica import Job, Replica
from foretide.simulator.requests import RequestTrace
from foretide.simulator.routing import DEFAULT, NAMES

PAGE = Path(__file__).parents[1] / "docs/benchmarks/speed.md"
HEAD = "# How fast the simulator is\n"
SMALL = Deployment(find_profile(model="Llama-3.1-8B", gpu="H100", tp=1))
LARGE = Deployment(find_profile(model="Llama-3.1-70B", gpu="H100", tp=8))
OLDER = Deployment(find_profile(model="Llama-3.1-8B", gpu="A100", tp=1))
NO_START = StartTier(1.0, 0.0)
DAY = 86_400.0
WEEK_RATE = 10.0
OPT = (1024, 1000)
"""OPT's context is 2048 tokens: the longest prompt and output that DistServe and, beside it, Foretide are given."""


class Stepping(Replica):
    """Never jumps: every decode step is an event of its own, and nothing else differs."""

    __slots__ = ()

    def _longest_run(self) -> int:
        return 1


def traffic(rate: float, count: int, *, longest: tuple[int, int] = (10**9, 10**9)) -> RequestTrace:
    """Poisson arrivals with prompts and outputs of Azure's conversations (2023)."""
    rng = np.random.default_rng(0)
    table = pd.read_csv(Path(os.environ["FORETIDE_DATA"]) / "requests/azure2023_conv.csv.gz")
    picks = rng.integers(0, len(table), count)
    tokens = (table[name].to_numpy()[picks] for name in ("prompt_tokens", "output_tokens"))
    prompts, outputs = (np.clip(column, 1, most) for column, most in zip(tokens, longest, strict=True))
    return RequestTrace(frozen(np.cumsum(rng.exponential(1 / rate, count))), prompts, outputs)


def per_second(work: Callable[[], None], count: int, *, times: int = 3) -> float:
    """The best of `times` runs."""
    best = inf
    for _ in range(times):
        begun = process_time()
        work()
        best = min(best, process_time() - begun)
    return count / best


def in_fleet(deployment: Deployment, trace: RequestTrace, replicas: int, *, routing: str = DEFAULT) -> float:
    def work() -> None:
        fleet = Fleet(
            deployment=deployment, trace=trace, replicas=replicas, cold_start=NO_START, seed=0, routing=routing
        )
        fleet.advance(float(trace.arrival_s[-1]) + 600.0)
        assert np.isfinite(fleet.outcome().e2e_s).all(), "a request did not end"

    return per_second(work, len(trace))


def alone(kind: type[Replica], trace: RequestTrace) -> float:
    """One replica without a fleet around it."""
    rows = list(zip(*(c.tolist() for c in (trace.arrival_s, trace.prompt_tokens, trace.output_tokens)), strict=True))

    def work() -> None:
        replica = kind(SMALL)
        for index, (arrival, prompt, output) in enumerate(rows):
            while replica.next_event <= arrival:
                replica.proceed()
            replica.submit(Job(index, arrival, prompt, output), arrival)
        while replica.next_event < inf:
            replica.proceed()

    return per_second(work, len(trace))


def jump_rows() -> list[str]:
    found = []
    for rate in (0.5, 2.0, 8.0, 16.0):
        trace = traffic(rate, 20_000)
        found.append((rate, alone(Stepping, trace), alone(Replica, trace)))
    return [
        "| arrivals/s | step by step | jumping | ratio |",
        "|---|---|---|---|",
        *(f"| {rate:g} | {step:,.0f} | {jump:,.0f} | {jump / step:.1f} |" for rate, step, jump in found),
    ]


def fleet_rows() -> list[str]:
    found = []
    for replicas, routings in ((1, [DEFAULT]), (8, [DEFAULT]), (32, NAMES)):
        trace = traffic(16.0 * replicas, 100_000 if replicas == 1 else 200_000)
        found += [(replicas, routing, in_fleet(SMALL, trace, replicas, routing=routing)) for routing in routings]
    return [
        "| replicas | routing | arrivals/s | requests/s simulated |",
        "|---|---|---|---|",
        *(f"| {replicas} | {routing} | {16 * replicas} | {speed:,.0f} |" for replicas, routing, speed in found),
    ]


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def week_rows(days: int) -> list[str]:
    """Memory while a week passes; run first, while nothing else has grown."""
    moments = [("before", resident_mb(), 0.0)]
    trace = traffic(WEEK_RATE, round(days * DAY * WEEK_RATE))
    moments.append(("trace made", resident_mb(), 0.0))
    fleet = Fleet(deployment=SMALL, trace=trace, replicas=2, cold_start=NO_START, seed=0)
    moments.append(("fleet made", resident_mb(), 0.0))
    begun, wall = process_time(), perf_counter()
    for day in range(1, days + 1):
        fleet.advance(day * DAY)
        moments.append((f"day {day}", resident_mb(), process_time() - begun))
    fleet.advance(float(trace.arrival_s[-1]) + 600.0)
    took, wall = process_time() - begun, perf_counter() - wall
    assert np.isfinite(fleet.outcome().e2e_s).all(), "a request did not end"
    moments.append(("outcome of all requests", resident_mb(), took))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    busy, cores = os.getloadavg()[1], os.cpu_count()
    return [
        f"{days} days at {WEEK_RATE:g} requests/s on 2 replicas, {len(trace):,} requests: **{took:.0f} s** of",
        f"processor time, {len(trace) / took:,.0f} requests/s; {wall:.0f} s by the clock, at a load of {busy:.1f} on",
        f"{cores} cores. Peak {peak:,.0f} MB, while the outcome is put together; a request takes 41 bytes throughout.",
        "",
        "| moment | resident MB | processor s |",
        "|---|---|---|",
        *(f"| {moment} | {mb:,.0f} | {seconds:.1f} |" for moment, mb, seconds in moments),
    ]


def child_seconds(command: list[str], folder: Path) -> float:
    """Processor time of a process and of all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} in {folder} failed:\n{done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def beside(command: Callable[[RequestTrace, Path], list[str]], folder: Path, trace: RequestTrace) -> float:
    """Requests per second between two lengths of the same traffic, so that imports and set-up do not count."""
    few, many = len(trace) // 5, len(trace)
    spent = []
    for count in (few, many):
        with TemporaryDirectory() as scratch:
            spent.append(
                child_seconds(command(trace.between(0.0, float(trace.arrival_s[count - 1])), Path(scratch)), folder)
            )
    return (many - few) / (spent[1] - spent[0])


def splitwise_command(python: str, servers: int) -> Callable[[RequestTrace, Path], list[str]]:
    def command(trace: RequestTrace, scratch: Path) -> list[str]:
        columns = {
            "request_id": range(len(trace)), "request_type": 2, "application_id": 0,
            "arrival_timestamp": trace.arrival_s, "batch_size": 1,
            "prompt_size": trace.prompt_tokens, "token_size": trace.output_tokens,
        }  # fmt: skip
        pd.DataFrame(columns).to_csv(scratch / "given.csv", index=False)
        return [
            python, "run.py", "applications.0.scheduler=token_jsq", "applications.0.model_architecture=llama2-70b",
            "applications.0.model_size=llama2-70b-fp16", "cluster=half_half", "cluster.servers.0.count=0",
            f"cluster.servers.1.count={servers}", "start_state=baseline", "performance_model=db",
            f"trace.dir={scratch}", "trace.filename=given", f"output_dir={scratch}/out",
        ]  # fmt: skip

    return command


def distserve_command(python: str, backend: str) -> Callable[[RequestTrace, Path], list[str]]:
    def command(trace: RequestTrace, scratch: Path) -> list[str]:
        rows = zip(trace.arrival_s.tolist(), trace.prompt_tokens.tolist(), trace.output_tokens.tolist(), strict=True)
        given = [{"start_time": 1000 * at, "prompt_len": prompt, "output_len": output} for at, prompt, output in rows]
        (scratch / "given.json").write_text(json.dumps(given))
        return [
            python, "-m", "simdistserve.benchmarks.simulate_dist", "--backend", backend, "--model", "facebook/opt-13b",
            "--workload", str(scratch / "given.json"), "--arrival", "custom", "--rate", "1",
        ]  # fmt: skip

    return command


def other_rows(given: argparse.Namespace) -> list[str]:
    found: list[tuple[str, float, str, float]] = []
    if given.splitwise_sim:
        for servers in (1, 32):
            trace = traffic(2.0 * servers, 2000 if servers == 1 else 10_000)
            theirs = beside(splitwise_command(given.python, servers), given.splitwise_sim, trace)
            what = f"SplitwiseSim, {servers} DGX-H100, Llama2-70B, {2 * servers} arrivals/s"
            found.append((what, theirs, f"Llama-3.1-70B on {servers} x 8 H100", in_fleet(LARGE, trace, servers)))
    if given.distserve:
        trace = traffic(2.0, 2000, longest=OPT)
        for backend, gpus in (("vllm", 1), ("distserve", 2)):
            theirs = beside(distserve_command(given.python, backend), given.distserve, trace)
            what = f"DistServe's simulator, backend {backend}, OPT-13B on {gpus} A100, 2 arrivals/s"
            found.append((what, theirs, "Llama-3.1-8B on 1 A100", in_fleet(OLDER, trace, 1)))
    if not found:
        return ["Not measured in this run: give --splitwise-sim and --distserve."]
    return [
        "| simulator | requests/s simulated | Foretide on the same requests | requests/s simulated | ratio |",
        "|---|---|---|---|---|",
        *(
            f"| {what} | {theirs:,.0f} | {ours} | {own:,.0f} | {own / theirs:,.0f} |"
            for what, theirs, ours, own in found
        ),
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splitwise-sim", type=Path, help="a checkout of Mutinifni/splitwise-sim")
    parser.add_argument("--distserve", type=Path, help="a checkout of LLMServe/DistServe")
    parser.add_argument("--python", default=sys.executable, help="the interpreter for both")
    parser.add_argument("--days", type=int, default=7, help="of the long run")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    week = week_rows(given.days)
    lines = [
        "## Speed and memory (bench/speed.py)",
        "",
        f"Python {platform.python_version()}, one core of {processor()}. Seconds are of processor time, the best of",
        "three. Poisson arrivals, lengths of Azure's conversations (2023); unless said otherwise Llama-3.1-8B on one",
        "H100 per replica at 16 requests/s each, about what it carries within 500 ms and 25 ms.",
        "",
        *fleet_rows(),
        "",
        "One replica without a fleet around it, jumping to the next event, and with every step an event of its own.",
        "Both end every request at the same time to 1e-9 s; a property test holds them to it. A busy replica has less",
        "to jump over: every arrival ends a jump, and many requests share a step.",
        "",
        *jump_rows(),
        "",
        "### A week",
        "",
        *week,
        "",
        "### Beside other simulators",
        "",
        "Measured in the same run on the same arrivals and lengths, each in its own model of the engine: theirs know",
        "things that Foretide does not (flows between machines, pipelines), and the other way round. For DistServe",
        f"prompts and outputs are cut to {OPT[0]:,} and {OPT[1]:,} tokens, OPT's context. Their start-up is taken off:",
        "requests over seconds between a short and a long run.",
        "",
        *other_rows(given),
    ]
    print("\n".join(lines))
    write_section("speed", lines, path=PAGE, head=HEAD)


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
