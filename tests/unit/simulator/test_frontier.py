from collections.abc import Iterator

import numpy as np
import pytest
from staged import SERVICE, scenario

from foretide.simulator.curve import Trials
from foretide.simulator.frontier import REFINED, Curve, Frontier, frontier
from foretide.simulator.generate import WorkloadShape
from foretide.simulator.knobs import Knob
from foretide.simulator.question import Question
from foretide.simulator.scenario import Scenario
from foretide.simulator.trial import Setting

MORNING = WorkloadShape(mean_rps=40.0, day_s=90.0, peak_to_trough=6.0, bursts_per_day=0.0)
QUESTION = Question(("static", "hpa-concurrency", "oracle"), attainments=(0.99, 0.9), seeds=2, budget=4, seed=4)


@pytest.fixture(scope="module", autouse=True)
def unmeasured() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("foretide.simulator.bench.service_model", lambda **_: SERVICE)
        yield


def morning(**changes: object) -> Scenario:
    return scenario(**({"source": MORNING, "max_replicas": 12} | changes))


@pytest.fixture(scope="module")
def told() -> list[tuple[str, float]]:
    return []


@pytest.fixture(scope="module")
def found(told: list[tuple[str, float]]) -> Frontier:
    return frontier(morning(), QUESTION, progress=lambda name, share: told.append((name, share)))


def test_curves_come_in_the_order_that_was_asked_for(found: Frontier) -> None:
    assert tuple(curve.policy for curve in found.curves) == QUESTION.policies


def test_every_policy_is_tuned_with_as_many_settings(found: Frontier) -> None:
    for name in ("static", "hpa-concurrency"):
        assert len(found.curve(name).trained) == QUESTION.budget


def test_a_curve_is_made_finer_only_where_an_attainment_is_crossed(found: Frontier) -> None:
    for name in ("static", "hpa-concurrency"):
        curve = found.curve(name)
        values = [setting.value for setting in curve.settings]
        assert values == sorted(set(values), key=lambda value: value or 0.0)
        assert set(curve.trained) <= set(values)
        assert len(values) <= QUESTION.budget + REFINED * len(QUESTION.attainments)
    static = found.curve("static")
    assert len(static.settings) > QUESTION.budget


def test_every_setting_runs_on_every_seed(found: Frontier) -> None:
    for curve in found.curves:
        settings, seeds, _ = curve.trials.requests.shape
        assert (settings, seeds) == (len(curve.settings), QUESTION.seeds)


def test_all_policies_meet_the_same_requests(found: Frontier) -> None:
    static, hpa, hindsight = (curve.trials.requests for curve in found.curves)
    for other in (hpa, hindsight):
        np.testing.assert_array_equal(static[0], other[0])


def test_more_static_replicas_cost_in_proportion(found: Frontier) -> None:
    static = found.curve("static")
    counts = np.array([setting.value for setting in static.settings], dtype=np.float64)
    np.testing.assert_allclose(static.hours / counts, static.hours[0] / counts[0], rtol=1e-6)


def test_a_stricter_promise_costs_no_less(found: Frontier) -> None:
    for curve in found.curves:
        strict, lenient = (curve.hours_at(level) for level in (0.99, 0.9))
        assert strict is not None
        assert lenient is not None
        assert lenient <= strict


def test_hindsight_is_not_dearer_than_a_fixed_count(found: Frontier) -> None:
    static, hindsight = (found.curve(name).hours_at(0.99) for name in ("static", "oracle"))
    assert static is not None
    assert hindsight is not None
    assert hindsight <= static * 1.001


def test_the_reference_is_at_par_with_itself(found: Frontier) -> None:
    ratio = found.ratio("static", 0.99)
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.0, 1.0, 1.0))


def test_the_tuned_setting_was_the_cheapest_that_reached_the_attainment_in_training(found: Frontier) -> None:
    curve = found.curve("static")
    index = curve.tuned(0.99)
    assert index is not None
    chosen = curve.settings[index].value
    assert chosen is not None
    reaching = [value for value, (_, joint) in curve.trained.items() if joint >= 0.99]
    assert chosen == min(reaching)


def test_progress_rises_to_its_end_in_every_stage(found: Frontier, told: list[tuple[str, float]]) -> None:
    assert found.wall_seconds > 0
    for stage in ("training", "evaluation", "oracle"):
        shares = [share for name, share in told if name == stage]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1.0)


def test_settings_that_a_scenario_lists_are_not_searched() -> None:
    listed = morning(knobs={"static": {"replicas": (4.0, 2.0)}})
    curve = frontier(listed, Question(("static",), seeds=1)).curve("static")
    assert [setting.value for setting in curve.settings] == [2.0, 4.0]


def test_a_policy_without_a_knob_is_a_single_point() -> None:
    curve = frontier(morning(), Question(("static-mean",), seeds=1)).curve("static-mean")
    assert [setting.value for setting in curve.settings] == [None]
    assert curve.tuned(0.5) is None


def curve_of(*points: tuple[float, float]) -> Curve:
    """Settings of (GPU-hours, joint attainment) over one seed and one block."""
    hours, joint = np.array(points).T[:, :, None, None]
    knob = Knob("target", 1.0, 9.0)
    settings = tuple(Setting("hpa", knob, float(value)) for value in range(1, len(points) + 1))
    return Curve("hpa", settings, Trials(hours, np.ones_like(joint), joint), trained={})


def test_an_attainment_that_no_setting_reaches_has_no_hours() -> None:
    assert curve_of((4.0, 0.9), (6.0, 0.98)).hours_at(0.99) is None


def test_a_cheapest_setting_that_does_better_is_said_to() -> None:
    curve = curve_of((4.0, 0.97), (6.0, 0.99), (7.0, 0.5))
    assert curve.exceeds(0.95)
    assert not curve.exceeds(0.98)
