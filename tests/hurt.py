"""Small fleets under conditions, for tests: steps are cheap and exact, starts take 30 s unless asked otherwise."""

from dataclasses import replace
from typing import Any

import numpy as np

from foretide.policies.flow import frozen
from foretide.simulator.conditions import Conditions
from foretide.simulator.fleet import Fleet, StartTier
from foretide.simulator.profiles import Deployment, Partition, Profile, StepTimes
from foretide.simulator.requests import RequestTrace

DEPLOYMENT = Deployment(
    Profile("test", "test", 1, StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6), kv_tokens=20_000, source="a test")
)
KINDS = (
    DEPLOYMENT,
    replace(DEPLOYMENT, whole_prompts=True),
    replace(DEPLOYMENT, prefix_cache=True),
    replace(DEPLOYMENT, partition=Partition(prefill_share=0.4, decode_knee=0.5)),
)
"""Every kind of replica that a fleet may consist of."""
EXACT = StartTier(median_s=30.0, sigma=0.0)


def requests(*rows: tuple[float, int, int]) -> RequestTrace:
    """(arrival, prompt tokens, output tokens) each."""
    arrival, prompt, output = zip(*rows, strict=True) if rows else ((), (), ())
    return RequestTrace(frozen(np.array(arrival, dtype=float)), np.array(prompt, int), np.array(output, int))


def steady(count: int, *, every: float = 0.2, seed: int = 0) -> RequestTrace:
    """Poisson arrivals of short requests."""
    rng = np.random.default_rng(seed)
    return RequestTrace(
        frozen(np.cumsum(rng.exponential(every, count))), rng.integers(10, 800, count), rng.integers(1, 120, count)
    )


def fleet(trace: RequestTrace, conditions: Conditions, **changes: Any) -> Fleet:
    """One replica, one GPU each, seed 0."""
    usual: dict[str, Any] = {"deployment": DEPLOYMENT, "replicas": 1, "cold_start": EXACT, "seed": 0}
    return Fleet(trace=trace, conditions=conditions, **(usual | changes))
