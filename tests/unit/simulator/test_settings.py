from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from foretide.policies.behavior import HPA_DEFAULT
from foretide.simulator.dynamo import PREDICTORS
from foretide.simulator.settings import WORDS, Settings, behavior_of, problem_of

SETTINGS = TypeAdapter(Settings)


@pytest.mark.parametrize(
    ("name", "written", "number"),
    [
        ("predictor", "arima", 1.0),
        ("predictor", "prophet", 3.0),
        ("variant", "arima", 2.0),
        ("load_loop", "off", 0.0),
        ("credit", "on", 1.0),
        ("credit", True, 1.0),
        ("target", 2.5, 2.5),
        ("target", "7", 7.0),
    ],
)
def test_words_stand_for_numbers_of_their_own_setting(name: str, written: Any, number: float) -> None:
    assert SETTINGS.validate_python({name: [written]}) == {name: [number]}


@pytest.mark.parametrize("given", [{"predictor": ["oracle"]}, {"target": ["arima"]}, {"target": []}, {"target": 3}, 7])
def test_words_that_a_setting_does_not_know_and_what_is_no_list_are_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        SETTINGS.validate_python(given)


def test_the_predictors_are_those_of_the_planner_in_the_same_order() -> None:
    assert WORDS["predictor"] == tuple(PREDICTORS)


def test_behavior_is_the_default_but_for_the_windows_given() -> None:
    assert behavior_of({}) == HPA_DEFAULT
    changed = behavior_of({"up_window_s": 60.0, "down_window_s": 0.0})
    assert (changed.up.stabilization_s, changed.down.stabilization_s) == (60.0, 0.0)
    assert changed.up.policies == HPA_DEFAULT.up.policies


@pytest.mark.parametrize(
    ("name", "value", "fine"), [("replicas", 3.0, True), ("replicas", 1.5, False), ("fallback_replicas", 0.0, False)]
)
def test_counts_are_whole(name: str, value: float, fine: bool) -> None:
    assert problem_of(name, value) == (None if fine else "give a whole number of at least 1")
