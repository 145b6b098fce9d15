"""Two roles, measured apart: together, at what both tables say, they keep the promise; well above, they break it."""

from dataclasses import replace

import numpy as np
import pytest

from foretide.policies.flow import LatencyTarget, Objective, frozen
from foretide.simulator import capacity
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.requests import RequestTrace
from foretide.simulator.role_capacity import Roles, pair_served, role_services
from foretide.simulator.score import within
from foretide.simulator.transfer import Link, kv_bytes

DEPLOYMENT = Deployment(find_profile(model="Llama-3.1-8B", gpu="H100", tp=1))
LINK = Link(50.0, kv_bytes("Llama-3.1-8B"))
OBJECTIVE = Objective(ttft=LatencyTarget(95.0, 0.5), tpot=LatencyTarget(95.0, 0.02))
LENGTHS = np.random.default_rng(0)
PROMPTS = np.maximum(1, LENGTHS.lognormal(6.9, 0.6, 2000)).astype(np.int64)
OUTPUTS = np.maximum(2, LENGTHS.lognormal(4.9, 0.8, 2000)).astype(np.int64)
REPLICAS = 2


@pytest.fixture
def roles(monkeypatch: pytest.MonkeyPatch) -> Roles:
    monkeypatch.setattr(capacity, "POOLS", (1, 2))
    monkeypatch.setattr(capacity, "REQUESTS_ALONE", 1000)
    return measure()


def measure(objective: Objective = OBJECTIVE) -> Roles:
    return role_services(
        prefill=DEPLOYMENT,
        decode=DEPLOYMENT,
        link=LINK,
        objective=objective,
        prompt_tokens=PROMPTS,
        output_tokens=OUTPUTS,
    )


def largest_rate(roles: Roles, role: str) -> float:
    service = getattr(roles, role)
    each = float(service.work.of(np.array([1.0, PROMPTS.mean(), OUTPUTS.mean()])))
    return float(service.capacity.total(REPLICAS) / each)


def kept(rate: float, replicas: tuple[int, int]) -> dict[str, float]:
    """Share of requests within each threshold at a Poisson rate that the measurement has not seen."""
    rng = np.random.default_rng(7)
    picks = rng.integers(0, len(PROMPTS), 12_000)
    trace = RequestTrace(frozen(np.cumsum(rng.exponential(1 / rate, 12_000))), PROMPTS[picks], OUTPUTS[picks])
    outcome = pair_served((DEPLOYMENT, DEPLOYMENT), LINK, trace, replicas, seed=1)
    declared = OBJECTIVE.declared().items()
    return {name: float(within(outcome=outcome, name=name, target=target).mean()) for name, target in declared}


def test_each_table_is_the_limit_of_its_own_role(roles: Roles) -> None:
    prefill, decode = largest_rate(roles, "prefill"), largest_rate(roles, "decode")
    assert roles.prefill.capacity.binding[0] == "ttft"
    assert roles.decode.capacity.binding[0] == "tpot"
    assert kept(0.9 * prefill, (REPLICAS, 40))["ttft"] >= 0.95
    assert kept(1.3 * prefill, (REPLICAS, 40))["ttft"] < 0.95
    assert kept(0.9 * decode, (40, REPLICAS))["tpot"] >= 0.95
    assert kept(1.3 * decode, (40, REPLICAS))["tpot"] < 0.95


def test_an_objective_of_one_pool_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="declare both"):
        measure(replace(OBJECTIVE, tpot=None))
