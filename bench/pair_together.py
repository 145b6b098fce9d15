"""GPUs of two pools at a matched promise, lengths drifting: sized together, apart, at a fixed ratio, by Dynamo's rule.

    python bench/pair_together.py            # runs what is missing, then writes docs/benchmarks/pair-together.md
    python bench/pair_together.py --page     # writes the page from what is there

Every run is a line under docs/benchmarks/pair-together. All of it is simulated (pair_world.py, pair_arms.py).
"""

import argparse
import json
import os
import time
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
from pair_arms import ARMS, INTERVAL_S, Arm, Dynamo, accepting, best_ratio
from pair_together_page import RUNS, write_page
from pair_world import DAY_S, START, STEP_S, Mixes, Setup, mixes, setups, traffic

from foretide.forecaster.ladder import Ladder
from foretide.policies.ahead import planning_horizon
from foretide.policies.flow import (
    Act,
    Behavior,
    ColdStart,
    Decision,
    DemandHistory,
    Evidence,
    Memory,
    Mode,
    Pool,
    ScalingPolicy,
    ScalingRules,
    ServiceModel,
    Trust,
    frozen,
)
from foretide.policies.memory import remember_scale
from foretide.policies.pair.decide import plan_pair
from foretide.policies.pair.setting import Counts, PairEvidence, Prices
from foretide.simulator.disaggregated import DisaggregatedFleet
from foretide.simulator.fleet import FleetCounts
from foretide.simulator.requests import RequestTrace
from foretide.simulator.rivals import demand_rows
from foretide.simulator.score import jointly, met

SEEDS = 3
PLAN_S, PATHS, GRACE_S = 60.0, 512, 300.0
MOST = Counts(24, 24)
QUICK_DOWN = ScalingRules(0.0, (ScalingPolicy("Percent", 100, 15.0),))
"""Dynamo's rule lowers at once; on a day of an hour five minutes of holding would be two hours."""


class Run:
    """One arm at one setting on one day."""

    def __init__(self, setup: Setup, measured: Mixes, arm: Arm, knob: float, seed: int) -> None:
        self._setup, self._mixes, self._arm, self._knob, self._seed = setup, measured, arm, knob, seed
        past, self.trace = traffic(setup, seed)
        self._past = demand_rows(past, start=0.0, end=DAY_S, step=STEP_S)
        self._rows = demand_rows(self.trace, start=0.0, end=DAY_S, step=STEP_S)
        self._ratio = best_ratio(measured, self._past)
        self._forecaster = Ladder(season_s=DAY_S)
        self._memory = {"prefill": Memory(-DAY_S), "decode": Memory(-DAY_S)}
        self._fleet = _fleet(setup, self.trace, self._first(), seed)

    def finished(self) -> tuple[float, float]:
        """GPU-hours of the day, and the share of requests within both thresholds."""
        period = INTERVAL_S if self._arm.propose is None else PLAN_S
        rule = Dynamo(self._mixes, headroom=self._knob, most=MOST, past=self._past)
        for now in np.arange(period, DAY_S, period):
            self._fleet.advance(float(now))
            if self._arm.propose is None:
                counts = rule.counts(self._rows[round((now - period) / STEP_S) : round(now / STEP_S)])
                self._fleet.scale(prefill=counts.prefill, decode=counts.decode)
            else:
                self._plan(float(now))
        self._fleet.advance(DAY_S)
        hours = self._fleet.gpu_seconds / 3600.0
        self._fleet.advance(DAY_S + GRACE_S)
        kept = jointly(met(outcome=self._fleet.outcome(), objective=self._setup.objective))
        return hours, float(kept.mean())

    def _first(self) -> Counts:
        """The same for every arm: what the first bins of the day need, and a quarter more."""
        rows = self._past[: round(INTERVAL_S / STEP_S)]
        roles = self._mixes.of(rows)
        pools = (roles.prefill, roles.decode)
        needed = [ceil(1.25 * float(one.work.of(rows).mean()) / one.capacity.total(1)) for one in pools]
        return Counts(*needed)

    def _plan(self, now: float) -> None:
        values = np.concatenate([self._past, self._rows[: round(now / STEP_S)]])
        history = DemandHistory(-DAY_S, STEP_S, frozen(values), Trust.FRESH, "")
        evidence = self._evidence(history, now)
        propose = self._arm.propose
        if propose is None:
            return
        decision = plan_pair(evidence, propose=lambda seen: propose(seen, self._ratio))
        prefill = self._carried_out("prefill", decision.prefill, now)
        decode = self._carried_out("decode", decision.decode, now)
        self._fleet.scale(prefill=prefill, decode=decode)

    def _evidence(self, history: DemandHistory, now: float) -> PairEvidence:
        roles = self._mixes.of(history.values[-round(INTERVAL_S / STEP_S) :])
        counts = self._fleet.counts()
        prefill = self._pool(Pool("prefill", 1, MOST.prefill, **_found(counts.prefill)), roles.prefill, history, now)
        decode = self._pool(Pool("decode", 1, MOST.decode, **_found(counts.decode)), roles.decode, history, now)
        steps = ceil(planning_horizon(prefill) / STEP_S)
        seed = self._seed * 10_000 + round(now)
        forecast = self._forecaster.forecast(history=history, horizon=steps, paths=PATHS, seed=seed)
        prices = Prices(self._setup.prefill.profile.tp, self._setup.decode.profile.tp)
        return PairEvidence(replace(prefill, forecast=forecast), replace(decode, forecast=forecast), prices)

    def _pool(self, pool: Pool, service: ServiceModel, history: DemandHistory, now: float) -> Evidence:
        """Without a forecast yet."""
        blind = Evidence(
            now=now,
            mode=Mode.AUTO,
            objective=self._setup.objective,
            behavior=Behavior(down=QUICK_DOWN),
            pool=pool,
            history=history,
            forecast=None,
            backlog=None,
            service=service,
            cold_start=ColdStart(START.median_s, START.sigma),
            memory=self._memory[pool.name],
        )
        return accepting(blind, self._knob)

    def _carried_out(self, name: str, decision: Decision, now: float) -> int | None:
        self._memory[name] = decision.memory
        if not isinstance(decision.verdict, Act):
            return None
        order = decision.verdict.order
        self._memory[name] = remember_scale(decision.memory, at=now, before=order.before, after=order.after)
        return order.after


def _found(counts: FleetCounts) -> dict[str, int]:
    return {"desired": counts.desired, "ready": counts.ready, "starting": counts.starting}


def _fleet(setup: Setup, trace: RequestTrace, first: Counts, seed: int) -> DisaggregatedFleet:
    return DisaggregatedFleet(
        prefill=setup.prefill,
        decode=setup.decode,
        link=setup.link,
        trace=trace,
        prefill_replicas=first.prefill,
        decode_replicas=first.decode,
        cold_start=START,
        seed=seed,
    )


def missing(setup: Setup) -> None:
    path = RUNS / f"{setup.name}.jsonl"
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {(one["arm"], one["knob"], one["seed"]) for one in done}
    wanted = [(arm, knob, seed) for seed in range(SEEDS) for arm in ARMS for knob in arm.knobs]
    wanted = [one for one in wanted if (one[0].name, one[1], one[2]) not in known]
    measured = mixes(setup) if wanted else None
    for arm, knob, seed in wanted:
        began = time.process_time()
        hours, joint = Run(setup, measured, arm, knob, seed).finished() if measured else (0.0, 0.0)
        row = {"arm": arm.name, "knob": knob, "seed": seed, "hours": round(hours, 3), "joint": round(joint, 5)}
        print(setup.name, row, f"{time.process_time() - began:.0f} s", flush=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="run nothing, write the page from what is there")
    given = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    found = setups(Path(os.environ["FORETIDE_DATA"]))
    for setup in found if not given.page else ():
        missing(setup)
    write_page({setup.name: setup.told for setup in found}, {arm.name: arm.told for arm in ARMS})


if __name__ == "__main__":
    main()
