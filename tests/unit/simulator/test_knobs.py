from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from staged import bench, scenario

from foretide.policies.flow import Costs
from foretide.simulator.field import NAMES
from foretide.simulator.knobs import FIRST, Knob, Scale, crossings, given, knob_of, to_try, turned
from foretide.simulator.scenario import BadScenario
from foretide.simulator.trial import Setting, fresh

TARGET = Knob("target", 1.0, 64.0)
RISK = Knob("maxViolationProbability", 0.001, 0.5, Scale.LOGIT)
REPLICAS = Knob("replicas", 1.0, 12.0, Scale.COUNT)


def test_the_first_settings_span_the_range_evenly_on_its_scale() -> None:
    assert TARGET.first(4) == (1.0, 4.0, 16.0, 64.0)
    assert REPLICAS.first(4) == (1.0, 2.0, 5.0, 12.0)
    odds = np.log([value / (1 - value) for value in RISK.first(4)])
    np.testing.assert_allclose(np.diff(odds), np.diff(odds)[0], rtol=1e-3)


def test_whole_numbers_have_nothing_between_neighbours() -> None:
    assert REPLICAS.between(2.0, 3.0) is None
    assert REPLICAS.between(2.0, 4.0) == 3.0


def test_a_range_of_one_value_has_one_setting() -> None:
    assert Knob("replicas", 3.0, 3.0, Scale.COUNT).first(4) == (3.0,)


def test_the_gap_in_which_an_attainment_is_crossed_is_halved() -> None:
    tried = {1.0: 1.0, 4.0: 0.98, 16.0: 0.7, 64.0: 0.2}
    assert to_try(TARGET, tried, attainments=(0.99, 0.95), room=9) == (2.0, 8.0)
    assert to_try(TARGET, tried, attainments=(0.99, 0.95), room=1) == (2.0,)


def test_one_gap_is_halved_once_though_two_attainments_cross_it() -> None:
    assert to_try(TARGET, {1.0: 1.0, 64.0: 0.2}, attainments=(0.99, 0.95), room=9) == (8.0,)


def test_without_a_crossing_a_curve_is_not_made_finer() -> None:
    assert crossings(TARGET, {1.0: 0.5, 64.0: 0.2}, attainments=(0.99,)) == ()
    assert crossings(TARGET, {1.0: 0.995, 64.0: 0.2}, attainments=(0.99,)) == (8.0,)


def test_where_nothing_is_crossed_the_widest_gap_is_halved() -> None:
    assert to_try(TARGET, {1.0: 0.5, 4.0: 0.4, 64.0: 0.2}, attainments=(0.99,), room=9) == (16.0,)


@settings(deadline=None, max_examples=50)
@drawn(st.sampled_from([TARGET, RISK, REPLICAS]), st.integers(2, 16), st.integers(0, 2**32 - 1))
def test_a_search_never_repeats_itself_and_never_exceeds_its_budget(knob: Knob, budget: int, seed: int) -> None:
    rng, tried = np.random.default_rng(seed), dict[float, float]()
    while wanted := to_try(knob, tried, attainments=(0.99, 0.95), room=budget - len(tried)):
        assert not set(wanted) & set(tried)
        tried |= {value: float(rng.random()) for value in wanted}
    assert len(tried) <= budget
    assert all(knob.low * 0.999 <= value <= knob.high * 1.001 for value in tried)
    if knob is not REPLICAS:
        assert len(tried) == budget
    elif budget >= FIRST:
        assert len(tried) >= FIRST


def test_with_prices_the_knob_of_foretide_is_the_price_of_a_miss() -> None:
    staged = bench(2.0, 4.0)
    priced = replace(staged.scenario, objective=replace(staged.scenario.objective, costs=Costs(1.0, 0.01)))
    knob = knob_of("foretide", priced)
    assert knob is not None
    assert knob.name == "costs.violation"
    changed = turned(replace(staged, scenario=priced), policy="foretide", knob=knob, value=0.5)
    assert changed.scenario.objective.costs == Costs(1.0, 0.5)


def test_what_a_scenario_lists_is_taken_as_it_is() -> None:
    listed = scenario(knobs={"hpa": {"target": (9.0, 3.0, 9.0)}})
    assert given("hpa", knob_of("hpa", listed), listed) == (3.0, 9.0)
    assert given("static", knob_of("static", listed), listed) == ()


@pytest.mark.parametrize(
    ("policy", "name", "value", "line"),
    [
        (
            "foretide",
            "maxViolationProbability",
            2.0,
            "maxViolationProbability: 2: give probabilities above 0 and below",
        ),
        ("hpa", "target", -1.0, "policies.hpa.target: -1: give finite numbers above 0"),
        ("hpa", "target", float("inf"), "policies.hpa.target: inf: give finite numbers above 0"),
    ],
)
def test_a_value_that_a_knob_cannot_have_is_one_line(policy: str, name: str, value: float, line: str) -> None:
    listed = scenario(knobs={policy: {name: (value,)}})
    with pytest.raises(BadScenario, match=line):
        given(policy, knob_of(policy, listed), listed)


@pytest.mark.parametrize("policy", [name for name in (*NAMES, "foretide") if name != "static-mean"])
def test_every_policy_can_be_built_at_both_ends_of_its_range(policy: str) -> None:
    staged = bench(2.0, 4.0)
    knob = knob_of(policy, staged.scenario)
    assert knob is not None
    assert knob.low < knob.high
    for value in (knob.low, knob.high):
        _, built = fresh(staged, Setting(policy, knob, value))
        assert built.name == policy


def test_static_counts_stay_within_the_limits() -> None:
    knob = knob_of("static", scenario(min_replicas=2, max_replicas=7))
    assert knob is not None
    assert (knob.low, knob.high) == (2.0, 7.0)


def test_a_policy_without_a_knob_says_so() -> None:
    assert knob_of("static-mean", scenario()) is None


@pytest.mark.parametrize(("policy", "value"), [("hpa", 3.0), ("static", 4.0), ("hpa-concurrency", 40.0)])
def test_turning_a_knob_changes_nothing_else(policy: str, value: float) -> None:
    before = bench(2.0, knobs={"hpa": {"target": (9.0,), "other": (1.0,)}})
    knob = knob_of(policy, before.scenario)
    assert knob is not None
    after = turned(before, policy=policy, knob=knob, value=value)
    assert after.scenario.knob(policy, knob.name) == value
    assert after.scenario.knob("hpa", "other") == 1.0
    assert replace(after.scenario, knobs={}).objective == before.scenario.objective
    assert after.trace is before.trace


def test_the_knob_of_foretide_is_the_risk_it_accepts() -> None:
    before = bench(2.0)
    knob = knob_of("foretide", before.scenario)
    assert knob is not None
    after = turned(before, policy="foretide", knob=knob, value=0.2)
    assert after.scenario.objective.max_violation_probability == 0.2
    assert before.scenario.objective.max_violation_probability == 0.01
