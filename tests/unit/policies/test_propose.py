"""A count from paths: what counts of them, and in which words it is told."""

from dataclasses import replace

import numpy as np
from given import evidence, forecast

from foretide.policies.ahead import planning_horizon
from foretide.policies.flow import Costs, Evidence, frozen
from foretide.policies.propose import propose


def test_only_the_planning_horizon_counts() -> None:
    rising = np.repeat([[20.0] * 4 + [90.0]], 50, axis=0)[:, :, None] * np.array([1.0, 1000.0, 200.0])
    given: Evidence = evidence(forecast=replace(forecast(1.0), paths=frozen(rising)))
    assert planning_horizon(given) == 210.0
    near, far = propose(given), propose(replace(given, cold_start=replace(given.cold_start, median_s=150.0)))
    assert near is not None
    assert far is not None
    assert (near.replicas, far.replicas) == (3, 9)


def test_with_prices_the_reason_and_the_record_tell_expected_costs() -> None:
    priced = replace(evidence().objective, costs=Costs(gpu_hour=2.0, violation=0.01))
    proposal = propose(evidence(objective=priced))
    assert proposal is not None
    assert "expected cost per hour by replicas is" in proposal.reason.text
    assert "accepted" not in proposal.reason.text
    costs = [proposal.hourly_cost_at(proposal.replicas + offset) for offset in (-1, 0, 1)]
    assert all(cost is not None for cost in costs)
    assert costs[1] == min(costs)


def test_without_prices_no_cost_is_told() -> None:
    proposal = propose(evidence())
    assert proposal is not None
    assert proposal.hourly_cost_at(proposal.replicas) is None
