"""Laws of the shield for any agent and any world: what exploring costs is bounded, what harms is ended."""

import json
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shown import LINEAR, shown

from foretide.policies.concurrency.limit_rule import Fixed, Rule
from foretide.policies.concurrency.notches import REACH, at_notch
from foretide.policies.concurrency.shield import Outcome, Plan, Promise, Ruling, Shield, lost
from foretide.policies.concurrency.window import Agent, Bounds, State, Window
from foretide.simulator.hostile import Chance, Flatterer
from foretide.simulator.tuned import Setup, step_model
from foretide.simulator.tuning import fleet_tally, run_shielded
from foretide.simulator.tuning_setups import setups

BOUNDS = Bounds(4, 512)
SHARES = st.lists(st.floats(0.0, 1.0), min_size=2 * REACH + 5, max_size=2 * REACH + 5)
"""A world: the attainment at each ratio to n*, as rugged as it likes."""
PROPOSALS = st.lists(st.integers(-1000, 5000), min_size=1, max_size=20)
PROMISES = st.builds(
    Promise,
    replicas=st.integers(3, 40),
    step=st.integers(1, 5),
    loss_budget=st.floats(0.0, 0.05),
    patience=st.integers(2, 20),
    rest=st.integers(1, 10),
)


class Written:
    """Proposes what hypothesis wrote, over and over."""

    name = "written"

    def __init__(self, proposals: list[int]) -> None:
        self._proposals, self._count = proposals, 0

    def act(self, seen: Window | None) -> int:
        self._count += 1
        return self._proposals[self._count % len(self._proposals)]

    def learn(self, outcome: Window) -> None:
        pass

    def state(self) -> State:
        return {"count": self._count}

    def restore(self, state: State) -> None:
        self._count = int(str(state["count"]))


def made(agent: Agent, promise: Promise) -> Shield:
    return Shield(agent, Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS), bounds=BOUNDS, promise=promise)


def world(shares: list[float]) -> Callable[[int | None], Window | None]:
    ratios = np.arange(-REACH - 2, REACH + 3)

    def window(limit: int | None) -> Window | None:
        if limit is None:
            return None
        share = float(np.interp(np.log(limit / 190) / np.log(1.1), ratios, shares))
        return shown(limit=limit, good=round(600 * share), ended=600)

    return window


def lived(one: Shield, window: Callable[[int | None], Window | None], count: int) -> list[tuple[Plan, Outcome, Ruling]]:
    seen: Window | None = shown(limit=190, ended=600)
    found = []
    for _ in range(count):
        plan = one.plan(seen)
        seen = window(plan.fleet)
        assert seen is not None
        outcome = Outcome(seen, window(plan.control), window(plan.canary))
        found.append((plan, outcome, one.learn(outcome)))
    return found


@settings(max_examples=80, deadline=None)
@given(proposals=PROPOSALS, shares=SHARES, promise=PROMISES)
def test_exploring_never_costs_more_than_the_budget_and_one_lost_window(
    proposals: list[int], shares: list[float], promise: Promise
) -> None:
    count = 60
    found = lived(made(Written(proposals), promise), world(shares), count)
    cost = sum(
        promise.share * max(0.0, lost(outcome.canary, outcome.fleet))
        for _, outcome, _ in found
        if outcome.canary is not None
    )
    assert cost <= promise.loss_budget * count + promise.share + 1e-9


@settings(max_examples=80, deadline=None)
@given(proposals=PROPOSALS, shares=SHARES, promise=PROMISES)
def test_the_canary_is_within_a_step_and_whoever_leaves_the_baseline_has_a_control(
    proposals: list[int], shares: list[float], promise: Promise
) -> None:
    for plan, _, _ in lived(made(Written(proposals), promise), world(shares), 60):
        assert (plan.control is None) == (plan.fleet == 190)
        assert BOUNDS.clip(at_notch(190, -REACH)) <= plan.fleet <= BOUNDS.clip(at_notch(190, REACH))
        if plan.canary is not None:
            # half a request of rounding on either side
            assert abs(np.log(plan.canary / plan.fleet)) <= promise.step * np.log(1.1) + 0.02


@settings(max_examples=80, deadline=None)
@given(proposals=PROPOSALS, shares=SHARES, promise=PROMISES)
def test_a_harm_of_one_window_is_gone_in_the_next(proposals: list[int], shares: list[float], promise: Promise) -> None:
    found = lived(made(Written(proposals), promise), world(shares), 60)
    for (plan, outcome, ruling), (following, _, _) in pairwise(found):
        if outcome.control is not None and lost(outcome.fleet, outcome.control) > 0.3:
            assert ruling is Ruling.ROLLED_BACK
            assert following.fleet == plan.control
        if ruling is Ruling.ROLLED_BACK or ruling is Ruling.REJECTED:
            assert following.canary is None or following.canary != plan.canary


@settings(max_examples=40, deadline=None)
@given(proposals=PROPOSALS, shares=SHARES, promise=PROMISES, cut=st.integers(1, 39))
def test_a_restart_changes_nothing(proposals: list[int], shares: list[float], promise: Promise, cut: int) -> None:
    whole = lived(made(Written(proposals), promise), world(shares), 40)
    first, second = (made(Written(proposals), promise) for _ in range(2))
    begun = lived(first, world(shares), cut)
    second.restore(json.loads(json.dumps(first.state())))
    seen: Window | None = begun[-1][1].fleet
    window = world(shares)
    for plan, _, ruling in whole[cut:]:
        assert second.plan(seen) == plan
        seen = window(plan.fleet)
        assert seen is not None
        assert second.learn(Outcome(seen, window(plan.control), window(plan.canary))) is ruling


def harm(setup: Setup, seed: int) -> dict[str, Agent]:
    rule = Rule(step_model(setup.deployment), tpot_s=setup.tpot_s, bounds=setup.bounds)
    return {
        "random": Chance(setup.bounds, seed=seed),
        "most": Fixed(setup.bounds.most),
        "least": Fixed(setup.bounds.least),
        "flatterer": Flatterer(rule, setup.bounds),
    }


@pytest.mark.parametrize("name", ["dev-gateway", "dev-autoscaled-long"])
@pytest.mark.parametrize("kind", ["random", "most", "least", "flatterer"])
def test_attainment_stays_within_a_point_of_the_baseline_in_the_simulator(name: str, kind: str) -> None:
    setup = setups()[name]

    def attained(agent: Agent, promise: Promise) -> float:
        rule = Rule(step_model(setup.deployment), tpot_s=setup.tpot_s, bounds=setup.bounds)
        guard = Shield(agent, rule, bounds=setup.bounds, promise=promise)
        return fleet_tally(run_shielded(guard, setup, seed=100)).attainment

    rule = Rule(step_model(setup.deployment), tpot_s=setup.tpot_s, bounds=setup.bounds)
    assert attained(harm(setup, 100)[kind], Promise()) >= attained(rule, Promise(loss_budget=0.0)) - 0.01
