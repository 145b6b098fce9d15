"""One run of a frontier: a policy at a setting, on one part of a trace, for one seed; and what is kept of it.

What is NOT promised: the time of a block's GPU-hours to the second. They are read off the fleet's scrapes, and add up
to the run's own meter.
"""

from dataclasses import dataclass, replace

import numpy as np

from foretide.policies.flow import Floats
from foretide.simulator.autoscaler import Autoscaler
from foretide.simulator.curve import blocks_of, by_block
from foretide.simulator.field import NAMES, rival
from foretide.simulator.ground import Ground, Part
from foretide.simulator.knobs import Knob, turned
from foretide.simulator.oracle import NAME as ORACLE
from foretide.simulator.oracle import oracle
from foretide.simulator.replay import autoscaler
from foretide.simulator.run import Bench, PolicyRun, run_policy
from foretide.simulator.score import jointly, met

BLOCKS = 24
"""Blocks of time into which a run is cut for the bootstrap."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A policy with its knob at a value; a policy without a knob has one setting."""

    policy: str
    knob: Knob | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What to run. The oracle learns from the orders of `others`, in hindsight."""

    setting: Setting
    part: Part
    seed: int
    others: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a run cost and kept, by block of time; arrays (BLOCKS,)."""

    gpu_hours: Floats
    requests: Floats
    kept: Floats
    """Requests within every declared threshold."""

    @property
    def joint(self) -> float:
        """NaN where nothing arrived."""
        return float(self.kept.sum() / self.requests.sum()) if self.requests.sum() else float("nan")


def run_trial(ground: Ground, trial: Trial) -> Measured:
    """Deterministic in its arguments."""
    bench = ground.bench(trial.part, trial.seed)
    setting = trial.setting
    if setting.policy == ORACLE:
        run = oracle(bench=demanding(bench, setting.value), others=[_run(bench, other) for other in trial.others])
    else:
        run = _run(bench, setting)
    return measured(run, bench=bench)


def _run(bench: Bench, setting: Setting) -> PolicyRun:
    turned_bench, policy = fresh(bench, setting)
    return run_policy(bench=turned_bench, autoscaler=policy)


def fresh(bench: Bench, setting: Setting) -> tuple[Bench, Autoscaler]:
    """A bench with the knob turned, and an autoscaler for one run on it. Raises BadScenario for unknown settings."""
    if setting.knob is not None and setting.value is not None:
        bench = turned(bench, policy=setting.policy, knob=setting.knob, value=setting.value)
    name = setting.policy
    return bench, rival(name, bench) if name in NAMES else autoscaler(name, bench)


def demanding(bench: Bench, joint: float | None) -> Bench:
    """The same bench with every declared percentile set so that the promise amounts to this joint attainment."""
    if joint is None:
        return bench
    objective = bench.scenario.objective
    ttft, tpot, e2e = (
        None if target is None else replace(target, percentile=100 * joint)
        for target in (objective.ttft, objective.tpot, objective.e2e)
    )
    demanded = replace(objective, ttft=ttft, tpot=tpot, e2e=e2e)
    return replace(bench, scenario=replace(bench.scenario, objective=demanded))


def measured(run: PolicyRun, *, bench: Bench) -> Measured:
    """A run cut into blocks. A request counts in the block of its arrival."""
    duration_s, outcome = bench.duration_s, run.outcome
    index = blocks_of(outcome.arrival_s, duration_s=duration_s, blocks=BLOCKS)
    kept = jointly(met(outcome=outcome, objective=bench.scenario.objective))
    series = run.series
    paid = np.maximum(series.ready + series.starting - series.unschedulable + series.draining, 1e-9)
    spent = by_block(index=blocks_of(series.at, duration_s=duration_s, blocks=BLOCKS), weights=paid, blocks=BLOCKS)
    return Measured(
        gpu_hours=run.gpu_hours * spent / spent.sum(),
        requests=by_block(index=index, weights=np.ones(len(kept)), blocks=BLOCKS),
        kept=by_block(index=index, weights=kept.astype(np.float64), blocks=BLOCKS),
    )
