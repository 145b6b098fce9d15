"""What every policy of a comparison shares: the evaluation part, the service model, and the count to begin with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from foretide.policies.flow import DemandHistory, ServiceModel, Trust, frozen
from foretide.simulator.capacity import service_model
from foretide.simulator.generate import WorkloadShape, demand_counts
from foretide.simulator.remeasured import Learned
from foretide.simulator.requests import RequestTrace
from foretide.simulator.rivals import demand_rows, fewest_for
from foretide.simulator.run import Bench
from foretide.simulator.scenario import BadScenario, Scenario, read_trace
from foretide.simulator.written import Problem

FIRST_S = 300.0
"""Every policy that scales begins with the count that carries the busiest minute of this first stretch."""


def prepare(
    scenario: Scenario,
    *,
    seed: int,
    train_until: float | None = None,
    cache: Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Bench:
    """Reads the trace, splits it, and measures what a replica carries with the lengths of the training part.

    Without a training part the lengths are those of the whole trace, as a load test before going live would use;
    what the scenario does to the trace later is not known then.
    Raises BadTrace and BadScenario.
    """
    trace = read_trace(scenario, seed=seed)
    refuse_what_never_fits(scenario, trace)
    begins_s = split_at(scenario, trace, train_until=train_until)
    past = trace.between(0.0, begins_s) if begins_s > 0 else None
    ahead = trace.between(begins_s, float(trace.arrival_s[-1]) - begins_s + 1.0) if begins_s > 0 else trace
    learned = past if past is not None and len(past) else _calm(scenario, trace, seed=seed)
    service = service_model(
        deployment=scenario.deployment,
        objective=scenario.objective,
        prompt_tokens=learned.prompt_tokens,
        output_tokens=learned.output_tokens,
        seed=seed,
        cache=cache,
        progress=None if progress is None else lambda share: progress("capacity", share),
    )
    return Bench(
        scenario=scenario,
        trace=ahead,
        past=past,
        begins_s=begins_s,
        service=service,
        initial=first_count(ahead, service, scenario),
        seed=seed,
        history=history_before(scenario, past, begins_s=begins_s, seed=seed),
        learned=Learned(
            scenario.deployment, scenario.objective, learned.prompt_tokens, learned.output_tokens, seed, cache
        ),
    )


def _calm(scenario: Scenario, trace: RequestTrace, *, seed: int) -> RequestTrace:
    """The trace without the scenario's stress."""
    return read_trace(replace(scenario, stress=()), seed=seed) if scenario.stress else trace


def refuse_what_never_fits(scenario: Scenario, trace: RequestTrace) -> None:
    """Raises BadScenario for the first request that is longer than the KV cache of a replica."""
    deployment = scenario.deployment
    room, written = deployment.room, deployment.kv_tokens or deployment.profile.kv_tokens
    tokens = trace.prompt_tokens + trace.output_tokens
    longer = np.flatnonzero(tokens > room)
    if len(longer):
        first = int(longer[0])
        fix = f"request {first + 1} of {tokens[first]} tokens never fits; raise it or drop the request"
        raise BadScenario([Problem("deployment.kv_tokens", str(written), fix)])


def history_before(
    scenario: Scenario, past: RequestTrace | None, *, begins_s: float, seed: int
) -> DemandHistory | None:
    """Demand before the evaluation part, on the grid of the bins: generated days, then the training part."""
    step, source, days = scenario.pace.step_s, scenario.source, scenario.history_days
    rows = np.empty((0, 3))
    if days and isinstance(source, WorkloadShape):
        rows = demand_counts(source, days=days, step=step, seed=seed)
    start = -step * len(rows)
    if past is not None:
        rows = np.concatenate([rows, demand_rows(past, start=0.0, end=begins_s, step=step)])
    return DemandHistory(start, step, frozen(rows), Trust.FRESH) if len(rows) else None


def split_at(scenario: Scenario, trace: RequestTrace, *, train_until: float | None) -> float:
    """Where the evaluation part begins, in seconds; a fraction is cut down to whole bins of demand."""
    if not len(trace):
        raise BadScenario([Problem("requests", "no request is left", "correct start and duration")])
    end, step = float(trace.arrival_s[-1]), scenario.pace.step_s
    if train_until is None:
        return int(scenario.train_fraction * end / step) * step
    if train_until >= end:
        fix = f"the trace ends at {end:.0f} s; leave a part of it for the evaluation"
        raise BadScenario([Problem("--train-until", f"{train_until:g} s", fix)])
    return train_until


def first_count(trace: RequestTrace, service: ServiceModel, scenario: Scenario) -> int:
    """The fewest replicas within the limits that carry the busiest minute of the first FIRST_S seconds."""
    rows = demand_rows(trace, start=0.0, end=FIRST_S, step=60.0)
    busiest = float(service.work.of(rows).max())
    needed = fewest_for(busiest, capacity=service.capacity, most=scenario.max_replicas)
    return max(needed, scenario.min_replicas)
