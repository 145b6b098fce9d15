"""n* on a number that reaches all replicas at once, as `foretide tuner` sets it: against n* set freely, and a default.

    python bench/concurrency_in_time.py      # ten minutes on one core; writes docs/benchmarks/concurrency-in-time.md

Simulated, one replica for each arm, on the drifting set-ups of bench/concurrency.py. The number restarts nothing.
"""

from pathlib import Path

import numpy as np

from foretide.policies.concurrency import in_time
from foretide.policies.concurrency.in_time import Past, Terms, Verdict
from foretide.policies.concurrency.limit_rule import KNATIVE_DEFAULT, Fixed, Rule
from foretide.policies.concurrency.window import Window
from foretide.simulator.tuned import Setup, TunedReplica, step_model
from foretide.simulator.tuning import Tally, run_agent, tally
from foretide.simulator.tuning_setups import DRIFTING, setups

PAGE = Path(__file__).parents[1] / "docs/benchmarks/concurrency-in-time.md"
SEEDS = range(10, 20)
CLUSTER_WINDOW_S = 60.0
"""Rests and trials are of the tuner's windows on a cluster, one for each of the simulation's."""
HEAD = """# n* on a number that reaches all replicas at once (simulated)

Written by bench/concurrency_in_time.py; [the tuner](../concurrency.md) says what it is. On a cluster most numbers reach
every replica at once: `foretide tuner` then changes the limit in steps of a tenth or more, holds each change against
the windows before it and takes losses back. Here it begins at {default}, Knative's default, and its number restarts
nothing. n* set freely, anew in each window, is what the same rule does in [the other benchmark](concurrency.md);
set-ups, goodput (requests within TTFT and TPOT per GPU-second) and attainment are as there. {seeds} seeds each, means;
one replica. Thresholds of the comparison were chosen on made-up counts. That n* rests only near a limit that failed,
and is followed at once below both limits of a trial, came after a first run on ten other seeds, in which
autoscaled-day-night kept 65 %.

| set-up | goodput: default, n* freely, in time | attainment: the same | changes, of which taken back |
|---|---|---|---|
"""
FOOT = """
In the mean of these runs the number that is changed seldom stays within 2 % of the goodput of n* set freely, and keeps
no fewer requests; what it loses is the price of waiting, and of changes taken back because traffic turned in the same
minutes. Where n* itself is too high, as at an overloaded gateway, taking back can do better than the rule.
"""


def rule(setup: Setup) -> Rule:
    return Rule(step_model(setup.deployment), tpot_s=setup.tpot_s, bounds=setup.bounds)


def in_time_windows(setup: Setup, *, seed: int) -> tuple[list[Window], int, int]:
    """Every window, and how many changes there were and were taken back."""
    known, past, replica = rule(setup), Past(), TunedReplica(setup, seed=seed)
    limit, windows, changed, back = KNATIVE_DEFAULT, list[Window](), 0, 0
    for place in range(setup.windows):
        seen = replica.run(limit)
        windows.append(seen)
        known.act(seen)
        now = CLUSTER_WINDOW_S * place
        told = in_time.turn(past, seen, rule=known, terms=Terms(setup.bounds), now=now)
        past = told.past
        if told.limit is None:
            continue
        if told.verdict is Verdict.CHANGE:
            past, changed = in_time.begun(past, before=limit, after=told.limit, now=now), changed + 1
        else:
            past, back = in_time.taken_back(past, now=now), back + 1
        limit = told.limit
    return windows, changed, back


def row(name: str, setup: Setup) -> str:
    arms: list[list[Tally]] = [[], [], []]
    moves = []
    for seed in SEEDS:
        windows, changed, back = in_time_windows(setup, seed=seed)
        runs = (run_agent(Fixed(KNATIVE_DEFAULT), setup, seed=seed), run_agent(rule(setup), setup, seed=seed), windows)
        for arm, run in zip(arms, runs, strict=True):
            arm.append(tally([(window, 1.0) for window in run]))
        moves.append((changed, back))
    goodput = ", ".join(f"{np.mean([one.goodput for one in arm]):.3f}" for arm in arms)
    attained = ", ".join(f"{np.mean([one.attainment for one in arm]):.1%}" for arm in arms)
    changed, back = np.mean(moves, axis=0)
    return f"| {name} | {goodput} | {attained} | {changed:.1f}, {back:.1f} |\n"


def main() -> None:
    rows = "".join(row(name, setups()[name]) for name in DRIFTING)
    head = HEAD.format(default=KNATIVE_DEFAULT, seeds=len(SEEDS))
    PAGE.write_text(head + rows.replace("%", " %") + FOOT, encoding="utf-8")


if __name__ == "__main__":
    main()
