"""A scenario replayed against policies, and the files that tell of it. All of it is simulated.

`summary.json` is the same for the same seed, except for `wall_seconds` and `decision_ms`.

What is NOT promised: figures for the oracle that do not depend on its company. It may take any run of the same replay
as its own, in hindsight, and is therefore run last.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from foretide.forecaster.ladder import Ladder
from foretide.policies.flow import ColdStart, Forecaster, Mode
from foretide.policies.turn import TargetSpec
from foretide.simulator.autoscaler import Autoscaler
from foretide.simulator.bench import prepare
from foretide.simulator.field import NAMES, rival, strange_settings
from foretide.simulator.nearest import nearest
from foretide.simulator.oracle import NAME as ORACLE
from foretide.simulator.oracle import oracle
from foretide.simulator.remeasured import Remeasured
from foretide.simulator.run import Bench, PolicyRun, Progress, run_policy
from foretide.simulator.scenario import BadScenario, Scenario
from foretide.simulator.shipped import Again, Limits, Shipped
from foretide.simulator.summary import figures, records
from foretide.simulator.written import Problem

POLICIES = (*NAMES, "foretide", ORACLE)

Told = Callable[[str, float], None]
"""Told what is under way (`capacity` or a policy's name) and how much of it is done, in [0, 1]."""


class UnknownPolicy(ValueError):
    """A policy that cannot be run, in one line that names those that can."""

    def __init__(self, name: str, why: str) -> None:
        self.name, self.fix = name, f"{why}{'' if why.endswith('?') else ';'} there are {', '.join(POLICIES)}"
        super().__init__(f"{self.name}: {self.fix}" if name else self.fix)


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """What a replay found, in the order in which the policies were asked for."""

    bench: Bench
    runs: tuple[PolicyRun, ...]
    summary: dict[str, Any]


def replay(
    scenario: Scenario,
    *,
    policies: Sequence[str],
    seed: int = 0,
    out: Path | None = None,
    train_until: float | None = None,
    cache: Path | None = None,
    progress: Told | None = None,
) -> Replay:
    """Runs the policies and writes `summary.json` and `decisions.jsonl` to the folder `out`, if given.

    Raises UnknownPolicy, BadScenario and BadTrace.
    """
    check_policies(policies)
    check_settings(scenario)
    began = perf_counter()
    bench = prepare(scenario, seed=seed, train_until=train_until, cache=cache, progress=progress)
    runs: dict[str, PolicyRun] = {}
    for name in sorted(policies, key=lambda name: name == ORACLE):
        runs[name] = run_named(name, bench=bench, others=tuple(runs.values()), progress=progress)
    ordered = tuple(runs[name] for name in dict.fromkeys(policies))
    summary = {
        "scenario": scenario.name,
        "seed": seed,
        "wall_seconds": perf_counter() - began,
        "policies": [figures(run=run, bench=bench) for run in ordered],
    }
    found = Replay(bench, ordered, summary)
    if out is not None:
        write(found, out)
    return found


def write(found: Replay, out: Path) -> None:
    """Writes `summary.json` and `decisions.jsonl`; makes the folder."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "summary.json").write_text(json.dumps(found.summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    with (out / "decisions.jsonl").open("w", encoding="utf-8") as lines:
        for run in found.runs:
            lines.writelines(json.dumps(record) + "\n" for record in records(run))


def check_policies(names: Sequence[str]) -> None:
    """Raises UnknownPolicy for the first name that cannot be run."""
    for name in names:
        if name not in POLICIES:
            meant = nearest(name, POLICIES)
            raise UnknownPolicy(name, f"unknown policy; did you mean {meant}?" if meant else "unknown policy")
    if not names:
        raise UnknownPolicy("", "none given")


def check_settings(scenario: Scenario) -> None:
    """Raises BadScenario where `policies` names a policy that there is not, or a setting that a rival does not have."""
    problems = [Problem(f"policies.{name}", "", _unknown(name)) for name in scenario.knobs if name not in POLICIES]
    problems += strange_settings(scenario)
    if problems:
        raise BadScenario(problems)


def _unknown(name: str) -> str:
    meant = nearest(name, POLICIES)
    guess = f"did you mean {meant}? " if meant else ""
    return f"no such policy; {guess}there are {', '.join(POLICIES)}"


def run_named(name: str, *, bench: Bench, others: Sequence[PolicyRun] = (), progress: Told | None = None) -> PolicyRun:
    """One policy's run, by its name; `others` are runs that the oracle may learn from."""
    told: Progress | None = None if progress is None else lambda share: progress(name, share)
    if name == ORACLE:
        return oracle(bench=bench, others=others, progress=told)
    return run_policy(bench=bench, autoscaler=autoscaler(name, bench), progress=told, note=note(name, bench))


def autoscaler(name: str, bench: Bench) -> Autoscaler:
    """A fresh autoscaler for one run. Raises UnknownPolicy, and BadScenario for settings that a rival does not have."""
    if name in NAMES:
        return rival(name, bench)
    if name == "foretide":
        return foretide(bench, Ladder(season_s=bench.scenario.pace.season_s))
    raise UnknownPolicy(name, "does not run by itself")


def note(name: str, bench: Bench) -> str:
    """What a reader of the figures must know about how the policy was set."""
    if name in ("static", "static-mean") and bench.scenario.knob(name, "replicas") is None:
        what = "p99.9 minute" if name == "static" else "mean"
        if bench.past is None:
            return f"sized for the {what} of the trace it is judged on, as there is no training part"
        return f"sized for the {what} of the training part"
    return ""


def foretide(bench: Bench, forecaster: Forecaster, *, again: Again | None = None) -> Shipped:
    """Foretide's own decision for one run, fed by a forecaster that is asked by nobody else.

    `again` measures capacity instead of the bench.
    """
    if again is None and bench.learned is not None:
        again = Remeasured(bench.learned, bench.service)
    scenario, pace = bench.scenario, bench.scenario.pace
    return Shipped(
        spec=TargetSpec(scenario.name, Mode.AUTO, scenario.objective, scenario.behavior),
        limits=Limits(scenario.min_replicas, scenario.max_replicas, scenario.gpus_per_replica),
        pace=pace,
        service=bench.service,
        prior=ColdStart(scenario.cold_start.median_s, scenario.cold_start.sigma),
        forecaster=forecaster,
        history=bench.history,
        again=again,
    )
