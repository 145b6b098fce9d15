"""What would have been: recorded demand, replayed against the counts that stood then and against Foretide. Simulated.

Both run on the same reconstructed requests, the same replicas and the same cold starts, so that only the counts differ.
The first part of the recording is history that Foretide knows; the rest is judged.

What is NOT promised: the latencies that users saw then. Those of the recorded counts are simulated like all others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from foretide.policies.flow import Floats
from foretide.simulator.bench import prepare
from foretide.simulator.oracle import Orders, Trajectory
from foretide.simulator.replay import Replay, Told, check_policies, run_named, write
from foretide.simulator.requests import RequestTrace
from foretide.simulator.run import Bench, PolicyRun, run_policy
from foretide.simulator.scenario import BadScenario, load_scenario
from foretide.simulator.summary import figures
from foretide.simulator.written import Problem

PRESENT = "present"
"""Name of the counts as recorded."""
REQUESTS, SCENARIO = "requests.csv.gz", "scenario.yaml"
STEP_S = 30.0
"""Bins of demand and of counts."""
COLD_START_SIGMA = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Replicas as recorded, one per bin of demand (T,), NaN where unknown."""

    replicas: Floats
    ordered: bool
    """True: what was asked for. False: what was ready, a cold start later."""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What a backtest plays: parts of a scenario file as users write them, by field."""

    name: str
    deployment: Mapping[str, Any]
    objective: Mapping[str, Any]
    behavior: Mapping[str, Any]
    limits: Mapping[str, int]
    cold_start_s: float

    def written(self, requests: str) -> dict[str, Any]:
        """As a scenario file."""
        return {
            "name": self.name,
            "requests": {"path": requests},
            "deployment": dict(self.deployment),
            "objective": dict(self.objective),
            "behavior": dict(self.behavior),
            "cold_start": {"tiers": {"usual": {"median_s": self.cold_start_s, "sigma": COLD_START_SIGMA}}},
            "limits": dict(self.limits),
            "step_s": STEP_S,
        }


def write_down(setting: Setting, trace: RequestTrace, *, out: Path) -> Path:
    """Writes the requests and a scenario that plays them into `out`, for any later `foretide replay`; its path."""
    columns = {"arrival_s": trace.arrival_s, "prompt_tokens": trace.prompt_tokens, "output_tokens": trace.output_tokens}
    pd.DataFrame(columns).to_csv(out / REQUESTS, index=False, float_format="%.3f")
    path = out / SCENARIO
    path.write_text(yaml.safe_dump(setting.written(REQUESTS), sort_keys=False), encoding="utf-8")
    return path


def backtest(
    path: Path,
    counts: Counts,
    *,
    train_until: float,
    policies: Sequence[str] = ("foretide",),
    cache: Path | None = None,
    progress: Told | None = None,
) -> Replay:
    """Runs the recorded counts and the policies on the scenario at `path`, and writes what `replay` writes beside it.

    `counts` begins with the first request. Raises BadScenario, BadTrace and UnknownPolicy.
    """
    scenario = load_scenario(path)
    check_policies(policies)
    _refuse_less_than_stood(counts, scenario.max_replicas)
    bench = prepare(scenario, seed=0, train_until=train_until, cache=cache, progress=progress)
    runs = (_present(bench, counts, progress), *(run_named(name, bench=bench, progress=progress) for name in policies))
    rows = [figures(run=run, bench=bench) for run in runs]
    saved = [compared(rows[0], row) for row in rows[1:]]
    found = Replay(bench, runs, {"scenario": scenario.name, "seed": 0, "policies": rows, "compared": saved})
    write(found, path.parent)
    return found


def _refuse_less_than_stood(counts: Counts, allowed: int) -> None:
    most = int(np.nanmax(counts.replicas))
    if most > allowed:
        fix = f"{most} replicas stood in this time; raise it, so that both may run as many"
        raise BadScenario([Problem("pools[0].maxReplicas", str(allowed), fix)])


def _present(bench: Bench, counts: Counts, progress: Told | None) -> PolicyRun:
    lead_s = 0.0 if counts.ordered else bench.scenario.cold_start.median_s
    orders = orders_of(counts.replicas, step=STEP_S, begins_s=bench.begins_s, lead_s=lead_s)
    told = None if progress is None else lambda share: progress(PRESENT, share)
    return run_policy(
        bench=bench, autoscaler=Trajectory(PRESENT, orders, bench.begins_s), progress=told, note=_note(counts, lead_s)
    )


def orders_of(replicas: Floats, *, step: float, begins_s: float, lead_s: float) -> Orders:
    """Orders, in seconds from `begins_s`, that make the counts (T,) stand; rises are moved `lead_s` earlier.

    An unknown count is the one before it, and before the first known one that one.
    """
    known = np.flatnonzero(np.isfinite(replicas))
    filled = replicas[known][np.maximum(0, np.searchsorted(known, np.arange(len(replicas)), side="right") - 1)]
    early = round(lead_s / step)
    ahead = np.lib.stride_tricks.sliding_window_view(np.pad(filled, (0, early), mode="edge"), early + 1)
    # A rise counts from one lead time before it, a fall only when it came: the largest count of the window.
    wanted = ahead.max(axis=1).astype(np.int64)
    at = np.arange(len(wanted)) * step - begins_s
    first = max(0, int(np.searchsorted(at, 0.0, side="right")) - 1)
    changes = [index for index in range(first, len(wanted)) if index == first or wanted[index] != wanted[index - 1]]
    return tuple((max(0.0, float(at[index])), int(wanted[index])) for index in changes)


def compared(present: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What the other would have saved, GPU-hours and share of the present ones, and windows kept by each."""
    saved = present["gpu_hours"] - other["gpu_hours"]
    return {
        "policy": other["policy"],
        "gpu_hours_saved": saved,
        "share_saved": saved / present["gpu_hours"] if present["gpu_hours"] else None,
        "window_attainment": {PRESENT: present["window_attainment"], other["policy"]: other["window_attainment"]},
    }


def _note(counts: Counts, lead_s: float) -> str:
    if counts.ordered:
        return "counts as recorded by kube-state-metrics; latencies simulated"
    early = f"rises are taken to have been ordered {lead_s:g} s earlier"
    return f"counts are the engines that reported; {early}; latencies simulated"
