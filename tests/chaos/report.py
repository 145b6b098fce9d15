"""Writes docs/benchmarks/chaos.md from what the runs noted: `python tests/chaos/report.py out/chaos.jsonl`."""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "chaos.md"
HEAD = """\
# Chaos

Written by `make chaos`; do not edit. [What is broken on purpose](../chaos.md) tells how a run goes, and which of the
forty faults are not covered.

**Demand is simulated: scripted engines, {rate:g} requests/s all the time, behind the pods of a real control plane**
(etcd, API server, controllers and scheduler as processes, KWOK for the kubelets) **and a real Prometheus.** The
operator is the shipped command; it plans every {plan} s, its Lease lasts {lease} s, its first life {life} s. Wrong
scale-downs are those to below what the demand of the next cold start needed, and all of them while metrics were
missing, stale or lying. `acted again` is counted from the end of the fault to the move that was due, median (worst);
`at once` is a move while the fault still lasted. The bound is two plan intervals and a lease, {bound} s; starting a
process counts against it. {runs} runs on two cores, shared with other work.

| fault | no. | expected | observed | runs | wrong scale-downs | acted again, s | within bound |
|---|---|---|---|---|---|---|---|
"""


def page(outcomes: list[dict[str, Any]], *, rate: float, plan: int, lease: int, life: int) -> str:
    by_fault: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in outcomes:
        by_fault[one["fault"]].append(one)
    bound = 2 * plan + lease
    head = HEAD.format(rate=rate, plan=plan, lease=lease, life=life, bound=bound, runs=len(outcomes))
    return head + "\n".join(_row(runs, bound) for runs in by_fault.values()) + "\n"


def _row(runs: list[dict[str, Any]], bound: float) -> str:
    first = runs[0]
    failed = [one for one in runs if one.get("acted_s") is None]
    wrong = sum(one["wrong_downs"] + one["blind_downs"] for one in runs)
    times = sorted(one["acted_s"] for one in runs if one.get("acted_s") is not None)
    within = "no" if failed or times[-1] > bound else "yes"
    cells = (
        first["fault"],
        first["numbers"],
        first["expected"],
        _observed(runs),
        len(runs),
        wrong,
        _times(times),
        within,
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _times(times: list[float]) -> str:
    if not times:
        return "never"
    median, worst = times[len(times) // 2], times[-1]
    told = ["at once" if time <= 0 else f"{time:.1f}" for time in (median, worst)]
    return told[0] if told[0] == told[1] else f"{told[0]} ({told[1]})"


def _observed(runs: list[dict[str, Any]]) -> str:
    said = sorted({one["said"] for one in runs if one["said"]})
    parts = [f"status: {', '.join(said)}" if said else "status could not be read"]
    if restarts := sum(one["restarts"] for one in runs):
        parts.append(f"{restarts} restarts")
    if any(one["sleeper_wrote"] for one in runs):
        parts.append("the woken one WROTE")
    return "; ".join(parts)


if __name__ == "__main__":
    from chaos.rig import FIRST_LIFE_S, LEASE_S, PLAN_S
    from chaos.test_faults import RATE

    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    told = page([json.loads(line) for line in lines], rate=RATE, plan=PLAN_S, lease=LEASE_S, life=FIRST_LIFE_S)
    PAGE.write_text(told, encoding="utf-8")
