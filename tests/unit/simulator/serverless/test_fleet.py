"""The fleet's accounts, against a second reckoning that goes minute by minute."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foretide.policies.warm.hold import Held
from foretide.policies.warm.tiers import Tiers, WarmTier, zero_or_ready
from foretide.simulator.serverless.calls import Calls, waiting
from foretide.simulator.serverless.fleet import Begun, Ended, Served, run

THREE = Tiers((WarmTier("zero", 80.0, 0.0), WarmTier("sleeping", 2.0, 0.1), WarmTier("ready", 0.0, 1.0)))
COUNTS = arrays(np.int64, (3, 25), elements=st.sampled_from([0, 0, 0, 0, 1, 2, 9]))
PLANS = arrays(np.int8, (3, 6), elements=st.integers(0, 2))


@dataclass
class Planned:
    """The same plan for every idle period of a model."""

    plans: np.ndarray

    def ended(self, past: Ended) -> None:
        """Nothing is learned."""

    def held(self, now: Begun) -> Held:
        return Held(self.plans[now.who])


def by_minutes(counts: np.ndarray, plans: np.ndarray, tiers: Tiers, scored_from: int) -> dict[str, float]:
    sums = dict.fromkeys(("cold", "waited", "cold_starts", "starts", "held", "starting"), 0.0)
    for model, row in enumerate(counts):
        tier, age = 0, None
        for minute, asked in enumerate(row):
            scored = minute >= scored_from
            if age is not None:
                age += 1
                planned = int(plans[model, min(age, plans.shape[1]) - 1])
                if planned > tier and scored:
                    sums["starts"] += 1
                    sums["starting"] += tiers.steps[tier].wake_s - tiers.steps[planned].wake_s
                tier = planned
                if scored and not asked:
                    sums["held"] += 60.0 * tiers.steps[tier].price
            if asked:
                if tier < len(tiers.steps) - 1 and scored:
                    wake = tiers.steps[tier].wake_s
                    who = np.array([model])
                    requests, seconds = waiting(counts, who=who, minute=minute, wake_s=wake)
                    sums["cold"] += requests[0]
                    sums["waited"] += seconds[0]
                    sums["cold_starts"] += 1
                    sums["starts"] += 1
                    sums["starting"] += wake
                tier, age = len(tiers.steps) - 1, 0
    return sums


def served(counts: np.ndarray, plans: np.ndarray, tiers: Tiers, scored_from: int = 0) -> Served:
    calls = Calls(tuple("abc"[: len(counts)]), counts)
    return run(calls, keeper=Planned(plans), tiers=tiers, scored_from=scored_from)


@given(COUNTS, PLANS, st.sampled_from([0, 7]))
def test_the_accounts_are_those_of_going_minute_by_minute(
    counts: np.ndarray, plans: np.ndarray, scored_from: int
) -> None:
    found = served(counts, plans, THREE, scored_from)
    expected = by_minutes(counts, plans, THREE, scored_from)
    assert (found.cold_requests, found.cold_starts, found.starts) == (
        expected["cold"],
        expected["cold_starts"],
        expected["starts"],
    )
    assert found.waited_s == pytest.approx(expected["waited"])
    assert found.held_s == pytest.approx(expected["held"])
    assert found.starting_s == pytest.approx(expected["starting"])
    assert found.requests == counts[:, scored_from:].sum()
    assert found.gpu_s == found.serving_s + found.held_s + found.starting_s


def test_a_pod_that_serves_one_short_request_has_a_ratio_below_1_and_one_that_stays_does_not() -> None:
    counts = np.zeros((1, 30), dtype=np.int64)
    counts[0, [0, 10, 11, 12, 13]] = 1
    found = served(counts, np.array([[1, 0]], dtype=np.int8), zero_or_ready(80.0))
    assert (found.pods, found.pods_below_1) == (2, 1)


def test_a_pod_that_was_started_by_plan_and_never_used_has_a_ratio_below_1() -> None:
    counts = np.zeros((1, 30), dtype=np.int64)
    counts[0, [0, 1, 2, 3, 20]] = 1
    plan = np.array([[1, 0, 0, 1, 0, 0]], dtype=np.int8)
    found = served(counts, plan, zero_or_ready(80.0))
    assert (found.pods, found.pods_below_1) == (4, 3)  # two of them started by plan in vain, one for a single request
