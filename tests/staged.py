"""A small bench to run policies on: an hour's shape in minutes, a made-up service model, no measurement."""

from typing import Any

import numpy as np

from foretide.policies.flow import CapacityTable, LatencyTarget, Objective, ServiceModel, WorkPerUnit, frozen
from foretide.simulator.fleet import StartTier
from foretide.simulator.generate import WorkloadShape
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.requests import RequestTrace
from foretide.simulator.run import Bench
from foretide.simulator.scenario import Pace, Scenario

OBJECTIVE = Objective(ttft=LatencyTarget(99.0, 0.5), tpot=LatencyTarget(99.0, 0.025), window_s=60.0)
PER_REPLICA = CapacityTable(replicas=(1,), per_replica=(12.0,), binding=("tpot",))
SERVICE = ServiceModel(WorkPerUnit(1.0, 0.0, 0.0), PER_REPLICA, "12 requests/s per replica", waiting_work_s=1.0)


def scenario(**changes: Any) -> Scenario:
    usual: dict[str, Any] = {
        "name": "staged",
        "source": WorkloadShape(mean_rps=1.0),
        "deployment": Deployment(find_profile(model="Llama-3.1-8B", gpu="H100", tp=1)),
        "objective": OBJECTIVE,
        "cold_start": StartTier(median_s=30.0, sigma=0.2),
        "min_replicas": 1,
        "max_replicas": 8,
        "pace": Pace(step_s=60.0),
    }
    return Scenario(**(usual | changes))


def trace(*rates: float, minute_s: float = 60.0, prompt: int = 1000, output: int = 200) -> RequestTrace:
    """Evenly spaced requests at one rate per minute."""
    arrivals = np.concatenate(
        [i * minute_s + np.arange(round(rate * minute_s)) / max(rate, 1e-9) for i, rate in enumerate(rates)]
    )
    count = len(arrivals)
    return RequestTrace(frozen(arrivals), np.full(count, prompt), np.full(count, output))


def bench(*rates: float, initial: int = 1, seed: int = 1, **changes: Any) -> Bench:
    return Bench(
        scenario=scenario(**changes),
        trace=trace(*rates),
        past=None,
        begins_s=0.0,
        service=SERVICE,
        initial=initial,
        seed=seed,
    )
