"""The closed-loop bench: the perfect forecast is the truth, and variants are run where their parent's curve is read."""

from typing import Any

import numpy as np
import pytest
from forecast_closed_loop import LEVEL, SEEDS, SURE, beginning, better, bracket, further, joints, varied
from forecast_closed_loop_arms import ARMS, HEADROOM, Arm, Perfect, with_hindsight
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.flow import DemandHistory, Floats, Trust, frozen
from foretide.simulator.trial import BLOCKS, Measured


def history(rows: int, *, start: float, step: float = 30.0) -> DemandHistory:
    return DemandHistory(start, step, frozen(np.zeros((rows, 3))), Trust.FRESH)


def truth(rows: int) -> Floats:
    return frozen(np.arange(3.0 * rows).reshape(rows, 3))


@pytest.mark.parametrize("begins_s", [0.0, 3600.0])
def test_a_perfect_forecast_is_what_arrives_times_its_headroom(begins_s: float) -> None:
    known = Perfect(truth(50), begins_s, 30.0, headroom=1.5)
    told = known.forecast(history=history(12, start=begins_s - 60.0), horizon=4, paths=3, seed=9)
    assert told is not None
    assert told.made_at == begins_s + 300.0
    for path in told.paths:
        np.testing.assert_allclose(path, 1.5 * truth(50)[10:14])


def test_behind_the_end_of_the_trace_it_goes_on_as_usual() -> None:
    told = Perfect(truth(20), 0.0, 30.0, headroom=1.0).forecast(
        history=history(18, start=0.0), horizon=5, paths=1, seed=0
    )
    assert told is not None
    np.testing.assert_allclose(told.paths[0, :2], truth(20)[18:])
    np.testing.assert_allclose(told.paths[0, 2:], np.tile(truth(20)[10:].mean(axis=0), (3, 1)))


def test_every_variant_has_a_parent_that_is_searched_before_it() -> None:
    names = [arm.name for arm in ARMS]
    assert len(set(names)) == len(names)
    for arm in ARMS:
        assert not arm.like or names.index(arm.like) < names.index(arm.name)


def test_a_bracket_is_where_the_attainment_is_crossed_or_nearest() -> None:
    assert bracket([0.5, 1.0, 2.0], [0.9, 0.98, 0.995]) == (1.0, 2.0)
    assert bracket([0.5, 1.0, 2.0], [0.995, 0.98, 0.9]) == (0.5, 1.0)
    assert bracket([0.5, 1.0, 2.0], [0.9, 0.95, 0.98]) == (1.0, 2.0)


ARM = Arm("any", "any", HEADROOM, with_hindsight(), "parent")


def measured(joint: float, hours: float) -> Measured:
    each = np.ones(BLOCKS)
    return Measured(hours * each / BLOCKS, 1000 * each, 1000 * joint * each)


def cell(curve: dict[float, float]) -> dict[str, Any]:
    shape = np.ones((len(curve), 1, 1))
    kept = 1000 * np.array(list(curve.values()))[:, None, None]
    hours = np.array(list(curve))[:, None, None]
    return {
        "settings": list(curve),
        "requests": (1000 * shape).tolist(),
        "kept": kept.tolist(),
        "gpu_hours": hours.tolist(),
    }


def test_shares_are_read_back_from_a_cell() -> None:
    np.testing.assert_allclose(joints(cell({0.5: 0.9, 1.0: 0.99})), [0.9, 0.99])


@given(st.floats(-0.3, 0.3))
def test_a_variant_is_followed_to_its_own_crossing(shift: float) -> None:
    """Its attainment is the parent's at another headroom; within the parent's settings the crossing is found."""

    def joint(headroom: float) -> float:
        return min(1.0, 0.95 + 0.04 * (headroom - shift))

    known = (0.5, 0.7, 0.9, 1.0, 1.3, 1.6, 3.0)
    parent = cell({value: min(1.0, 0.95 + 0.04 * value) for value in known})
    asked: list[tuple[float, int]] = []

    def run(value: float, seed: int) -> Measured:
        asked.append((value, seed))
        return measured(joint(value), value)

    settings, trials = varied(ARM, parent, run)
    assert trials.hours().shape == (len(settings),)
    assert {seed for _, seed in asked} == set(SEEDS)
    assert len(asked) == len(settings) * len(SEEDS)
    reached = trials.joint()
    assert reached.min() < 0.99 <= reached.max()


def test_a_variant_that_is_everywhere_too_good_goes_down_to_the_cheapest_setting() -> None:
    parent = cell({0.5: 0.9, 1.0: 0.98, 2.0: 0.995, 3.0: 0.999})
    settings, _ = varied(ARM, parent, lambda value, _: measured(0.999 + value * 1e-4, value))
    assert settings == [0.5, 1.0, 2.0]
    assert further(ARM, [0.5, 1.0, 2.0, 3.0], {1.0: 0.9, 2.0: 0.95}) == [3.0]


def test_a_curve_that_barely_reaches_the_attainment_is_carried_on_to_the_good_side() -> None:
    known = [0.5, 1.0, 2.0, 3.0]
    assert better(known, {0.5: 0.98, 1.0: LEVEL + SURE / 2}) == [2.0]
    assert better(known, {2.0: LEVEL + SURE / 2, 3.0: 0.98}) == [1.0]
    assert better(known, {1.0: 0.98, 2.0: LEVEL + SURE}) == []


def test_where_the_parent_never_falls_short_its_cheapest_setting_is_run_too() -> None:
    assert beginning(cell({0.5: 0.998, 1.0: 0.995, 2.0: 0.993, 3.0: 0.991})) == [0.5, 2.0, 3.0]
    assert beginning(cell({0.5: 0.9, 1.0: 0.98, 2.0: 0.993, 3.0: 0.999})) == [1.0, 2.0]
