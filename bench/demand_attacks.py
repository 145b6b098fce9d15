"""docs/benchmarks/demand-attacks.md: what attacks on demand cost, with and without screened lengths. Simulated.

    python bench/demand_attacks.py run [--jobs N]     # cells that are not there yet
    python bench/demand_attacks.py page

A generated hour with three such hours as history. Attackers' requests are known here, and to no policy: attainment is
that of all others. The clean run is on the others' requests and the same cold starts.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from foretide.policies.flow import Floats, frozen
from foretide.simulator.bench import prepare
from foretide.simulator.replay import autoscaler
from foretide.simulator.requests import RequestTrace
from foretide.simulator.run import Bench, run_policy
from foretide.simulator.scenario import Scenario, load_scenario
from foretide.simulator.score import jointly, met
from foretide.simulator.shipped import Shipped
from foretide.simulator.spread import Workers, spread

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/benchmarks/demand-attacks.md"
OUT = PAGE.with_suffix("")
SEEDS = range(5)
LONGEST = 4096
BEGINS_S, LASTS_S = 600.0, 1800.0
SCENARIO: dict[str, Any] = {
    "name": "demand-attacks",
    "workload": {"mean_rps": 30, "day_s": 3600, "peak_to_trough": 2},
    "history_days": 3,
    "season_s": 3600,
    "deployment": {"model": "Llama-3.1-8B", "gpu": "H100", "tp": 1},
    "objective": {
        "ttft": {"percentile": 99, "threshold": "500ms"},
        "tpot": {"percentile": 99, "threshold": "25ms"},
    },
    "cold_start": {"tiers": {"node-warm": {"median_s": 80, "sigma": 0.3}}},
    "limits": {"min": 1, "max": 24},
}
Attacked = tuple[RequestTrace, Floats]
"""The requests, and which of them are the attacker's."""


def overflow(share: float) -> Callable[[RequestTrace, int], Attacked]:
    """A share of the requests asks for answers that end at the cap only."""

    def attacked(trace: RequestTrace, seed: int) -> Attacked:
        theirs = _inside(trace) & (np.random.default_rng((seed, 1)).random(len(trace)) < share)
        output = np.where(theirs, LONGEST, trace.output_tokens)
        return RequestTrace(trace.arrival_s, trace.prompt_tokens, output), theirs

    return attacked


def silence(trace: RequestTrace, seed: int) -> Attacked:
    """Half of the requests are one tenant's, which says nothing for ten minutes and then comes back at three times."""
    theirs = np.random.default_rng((seed, 2)).random(len(trace)) < 0.5
    quiet = theirs & (trace.arrival_s >= BEGINS_S) & (trace.arrival_s < BEGINS_S + 600.0)
    back = np.flatnonzero(theirs & (trace.arrival_s >= BEGINS_S + 600.0) & (trace.arrival_s < BEGINS_S + 900.0))
    picks = np.concatenate([np.flatnonzero(~quiet), back, back])
    return _merged(trace, theirs, picks)


def load(trace: RequestTrace, seed: int) -> Attacked:
    """Beside the others, as many requests again of one token each way, in bursts of a minute in three."""
    rng = np.random.default_rng((seed, 3))
    times = trace.arrival_s[_inside(trace)]
    times = np.sort(rng.choice(times[(times // 60).astype(int) % 3 == 0], size=len(times)))
    ones = np.ones(len(times), dtype=np.int64)
    every = np.concatenate([trace.arrival_s, times])
    order = np.argsort(every, kind="stable")
    tokens = (np.concatenate([column, ones])[order] for column in (trace.prompt_tokens, trace.output_tokens))
    theirs = np.concatenate([np.zeros(len(trace), dtype=bool), ones.astype(bool)])[order]
    return RequestTrace(frozen(every[order]), *tokens), theirs


def longer(trace: RequestTrace, seed: int) -> Attacked:  # noqa: ARG001 (nothing is drawn)
    """No attack: everybody's answers become twice as long, as when a model begins to reason."""
    output = np.where(_inside(trace), 2 * trace.output_tokens, trace.output_tokens)
    return RequestTrace(trace.arrival_s, trace.prompt_tokens, output), np.zeros(len(trace), dtype=bool)


def clean(trace: RequestTrace, seed: int) -> Attacked:  # noqa: ARG001
    return trace, np.zeros(len(trace), dtype=bool)


ATTACKS: dict[str, tuple[str, Callable[[RequestTrace, int], Attacked]]] = {
    "clean": ("none", clean),
    "overflow-1": ("answers without end, 1 % of requests", overflow(0.01)),
    "overflow-5": ("answers without end, 5 % of requests", overflow(0.05)),
    "overflow-20": ("answers without end, 20 % of requests", overflow(0.20)),
    "silence": ("half of all users silent, then back threefold", silence),
    "load": ("as many requests again, of one token", load),
    "longer": ("no attack: all answers twice as long", longer),
}


def _inside(trace: RequestTrace) -> Any:
    return (trace.arrival_s >= BEGINS_S) & (trace.arrival_s < BEGINS_S + LASTS_S)


def _merged(trace: RequestTrace, theirs: Any, picks: Any) -> Attacked:
    order = picks[np.argsort(trace.arrival_s[picks], kind="stable")]
    return trace.at(trace.arrival_s[order], order), theirs[order]


def scenario() -> Scenario:
    folder = ROOT / "out/demand-attacks"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(SCENARIO), encoding="utf-8")
    return load_scenario(path)


def cell(_: None, item: tuple[str, int, bool]) -> dict[str, Any]:
    name, seed, screens = item
    bench = prepare(scenario(), seed=seed, cache=ROOT / "out/demand-attacks/capacity")
    trace, theirs = ATTACKS[name][1](bench.trace, seed)
    return judged(replace(bench, trace=trace), theirs, screens=screens)


def judged(bench: Bench, theirs: Any, *, screens: bool) -> dict[str, Any]:
    policy = autoscaler("foretide", bench)
    assert isinstance(policy, Shipped)
    policy.screens = screens
    run = run_policy(bench=bench, autoscaler=policy)
    kept = jointly(met(outcome=run.outcome, objective=bench.scenario.objective))
    others = ~np.asarray(theirs)[: len(kept)]
    return {
        "gpu_hours": run.gpu_hours,
        "others": float(kept[others].mean()),
        "most": max(count for _, count in run.orders),
    }


def items() -> Iterator[tuple[str, int, bool]]:
    """The slowest last: a fifth of answers without end fills engines for hours."""
    for name, seed in sorted(product(ATTACKS, SEEDS), key=lambda one: (one[0] == "overflow-20", one[1])):
        yield from ((name, seed, screens) for screens in (False, True))


def path_of(item: tuple[str, int, bool]) -> Path:
    return OUT / f"{item[0]}--{item[1]}--{'screened' if item[2] else 'raw'}.json"


def run_cells(jobs: int) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for item in items():
        if path_of(item).exists():
            continue
        (found,) = spread(cell, [item], shared=None, workers=Workers(jobs=jobs))
        path_of(item).write_text(json.dumps(found) + "\n", encoding="utf-8")
        print(path_of(item).stem, found, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    if options.what == "run":
        run_cells(options.jobs)
    else:
        from demand_attacks_page import write

        write(PAGE, OUT, attacks={name: told for name, (told, _) in ATTACKS.items()}, seeds=SEEDS)


if __name__ == "__main__":
    main()
