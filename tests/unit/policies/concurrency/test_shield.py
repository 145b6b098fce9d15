"""The shield, one promise after the other, on made-up windows."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from shown import LINEAR, shown

from foretide.policies.concurrency.evidence import Evidence
from foretide.policies.concurrency.limit_rule import Fixed, Rule
from foretide.policies.concurrency.shield import Outcome, Plan, Promise, Ruling, Shield, gained, lost
from foretide.policies.concurrency.standing import Record, Standing
from foretide.policies.concurrency.window import Agent, Bounds, Window

BOUNDS = Bounds(4, 512)
BEST = 190
"""n* at the lengths of `shown`."""
Curve = Callable[[float], float]
"""Share of 600 requests that are good, over limit / n*."""


def shield(agent: Agent, promise: Promise | None = None) -> Shield:
    return Shield(agent, Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS), bounds=BOUNDS, promise=promise)


def came_of(limit: int, curve: Curve) -> Window:
    return shown(limit=limit, good=round(600 * curve(limit / BEST)), ended=600)


def turn(one: Shield, seen: Window | None, curve: Curve) -> tuple[Plan, Ruling, Window]:
    plan = one.plan(seen)
    fleet, control, canary = (
        None if limit is None else came_of(limit, curve) for limit in (plan.fleet, plan.control, plan.canary)
    )
    assert fleet is not None
    return plan, one.learn(Outcome(fleet, control, canary)), fleet


def turns(one: Shield, curve: Curve, count: int) -> list[tuple[Plan, Ruling]]:
    seen, found = shown(limit=BEST, ended=600), []
    for _ in range(count):
        plan, ruling, seen = turn(one, seen, curve)
        found.append((plan, ruling))
    return found


def rising(ratio: float) -> float:
    return min(1.0, 0.6 * ratio)


def test_blind_it_runs_the_baseline_and_explores_nothing() -> None:
    assert shield(Fixed(400)).plan(None) == Plan(100)


def test_a_proposal_goes_to_the_canary_and_not_further_than_a_step() -> None:
    plan = shield(Fixed(512)).plan(shown())
    assert (plan.fleet, plan.control) == (BEST, None)
    assert plan.canary == round(BEST * 1.1**3)
    assert shield(Fixed(4)).plan(shown()).canary == round(BEST * 1.1**-3)


def test_a_better_limit_is_adopted_after_eight_windows_and_a_control_stays_behind() -> None:
    found = turns(shield(Fixed(round(BEST * 1.1**3))), rising, 9)
    # one to settle, seven for an error of one in twenty
    assert [ruling for _, ruling in found] == [Ruling.KEPT] * 7 + [Ruling.ADOPTED] + [Ruling.KEPT]
    assert found[-1][0] == Plan(round(BEST * 1.1**3), control=BEST, canary=None)


def test_a_limit_that_gains_goodput_and_loses_attainment_is_not_adopted() -> None:
    def canary(limit: int) -> Window:
        return replace(shown(limit=limit, good=590, ended=640), seconds=24.0)

    one = shield(Fixed(230))
    seen = shown(limit=BEST, good=594, ended=600)
    rulings = []
    for _ in range(16):
        plan = one.plan(seen)
        tried = None if plan.canary is None else canary(plan.canary)
        assert tried is None or tried.goodput > seen.goodput
        rulings.append(one.learn(Outcome(seen, None, tried)))
    assert Ruling.ADOPTED not in rulings
    assert Ruling.REJECTED in rulings


def test_a_trial_that_does_harm_ends_with_its_first_window_and_rests() -> None:
    found = turns(shield(Fixed(250)), lambda ratio: 0.9 if ratio <= 1.01 else 0.3, 9)
    assert [ruling for _, ruling in found[:2]] == [Ruling.REJECTED, Ruling.KEPT]
    assert [plan.canary for plan, _ in found[1:]] == [None] * 8


def test_a_trial_that_proves_nothing_ends() -> None:
    found = turns(shield(Fixed(250), Promise(patience=5)), lambda _: 0.9, 5)
    assert [ruling for _, ruling in found] == [Ruling.KEPT] * 4 + [Ruling.REJECTED]


@pytest.mark.parametrize("notch", [-5, 4])
def test_an_adopted_limit_that_does_harm_is_rolled_back_after_one_window(notch: int) -> None:
    one = shield(Fixed(BEST))
    one.plan(shown())
    one.record = replace(one.record, standings={one.record.regime or "": Standing(adopted=notch)})
    found = turns(one, lambda ratio: 0.9 if 0.99 < ratio < 1.01 else 0.5, 2)
    assert found[0][0].control == BEST
    assert found[0][1] is Ruling.ROLLED_BACK
    assert found[1][0] == Plan(BEST)


def test_small_losses_that_add_up_are_rolled_back() -> None:
    one = shield(Fixed(BEST))
    one.plan(shown())
    one.record = replace(one.record, standings={one.record.regime or "": Standing(adopted=2)})
    found = turns(one, lambda ratio: 0.95 if ratio < 1.01 else 0.94 - 0.005, 8)
    rulings = [ruling for _, ruling in found]
    assert rulings.index(Ruling.ROLLED_BACK) == 3


def test_other_lengths_put_the_baseline_in_charge_until_something_is_proven_for_them() -> None:
    one = shield(Fixed(BEST))
    one.plan(shown())
    one.record = replace(one.record, standings={one.record.regime or "": Standing(adopted=-2)})
    assert one.plan(shown()).fleet == round(BEST * 1.1**-2)
    longer = shown(ended=100_000, prompt=8000.0)
    plan = one.plan(longer)
    rule = Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS)
    rule.act(shown())
    rule.act(shown())
    assert plan.fleet == rule.act(longer)
    assert plan.control is None


def test_without_a_budget_nothing_is_ever_tried() -> None:
    found = turns(shield(Fixed(300), Promise(loss_budget=0.0)), rising, 30)
    assert {plan for plan, _ in found} == {Plan(BEST)}


def test_a_spent_allowance_stops_exploring_until_it_is_earned_again() -> None:
    promise = Promise(loss_budget=0.02, replicas=10, rest=1)
    one = shield(Fixed(512), promise)
    found = turns(one, lambda ratio: 0.9 if ratio <= 1.01 else 0.0, 12)
    tried = [number for number, (plan, _) in enumerate(found) if plan.canary is not None]
    # a lost window costs 0.9 / 10 of one window's requests, and earns at 0.02 a window: 0.1 + 0.02 - 0.09 = 0.03
    assert tried[0] == 0
    assert tried[1] == 5


def test_it_survives_a_restart_in_the_middle_of_a_trial() -> None:
    whole = turns(shield(Fixed(250)), rising, 14)
    first, again = shield(Fixed(250)), shield(Fixed(250))
    begun = turns(first, rising, 5)
    again.restore(json.loads(json.dumps(first.state())))
    seen, after = came_of(begun[-1][0].fleet, rising), []
    for _ in range(9):
        plan, ruling, seen = turn(again, seen, rising)
        after.append((plan, ruling))
    assert begun + after == whole


def test_differences_are_relative_to_the_larger() -> None:
    one, other = shown(good=50, ended=100), shown(good=100, ended=100)
    assert (gained(one, other), gained(other, one)) == (-0.5, 0.5)
    assert lost(one, other) == 0.5
    nothing = shown(good=0, ended=0)
    assert gained(nothing, nothing) == 0.0
    assert lost(nothing, other) == 0.0


@pytest.mark.parametrize(
    ("given", "told"),
    [({"replicas": 2}, "replicas: 2"), ({"error": 0.0}, r"error: 0\.0"), ({"loss_budget": 1.5}, r"loss_budget: 1\.5")],
)
def test_promises_that_make_no_sense_are_refused(given: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Promise(**given)  # type: ignore[arg-type]


def test_a_fresh_record_may_explore_at_once() -> None:
    assert shield(Fixed(BEST)).record == Record(allowance=0.1)


def doubted(doubt: Evidence, *, attained: float) -> Ruling:
    """What a shield with that evidence against its adopted limit makes of a fleet that attains so much, beside 70 %."""
    one = shield(Fixed(BEST))
    one.plan(shown())
    one.record = replace(one.record, standings={one.record.regime or "": Standing(adopted=2, doubt=doubt)})
    plan = one.plan(shown())
    control = shown(limit=plan.control or 0, good=140, ended=200)
    return one.learn(Outcome(shown(limit=plan.fleet, good=140, ended=round(140 / attained)), control))


def test_a_pair_that_has_always_differed_much_is_not_ended_by_as_much_again() -> None:
    steady, noisy = Evidence(), Evidence()
    for window in range(6):
        steady = steady.after(goodput=-0.1, attainment=-0.2)
        noisy = noisy.after(goodput=-0.1, attainment=-0.2 + 0.15 * (-1) ** window)
    assert doubted(steady, attained=0.5) is Ruling.ROLLED_BACK
    assert doubted(noisy, attained=0.5) is Ruling.KEPT
    assert doubted(noisy, attained=0.35) is Ruling.ROLLED_BACK
