from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from foretide.policies.behavior import HPA_DEFAULT
from foretide.simulator.dynamo import PREDICTORS
from foretide.simulator.settings import WORDS, Setting, behavior_of, number_of

SETTING = TypeAdapter(Setting)


@pytest.mark.parametrize(
    ("written", "number"),
    [("arima", 1.0), ("prophet", 3.0), ("off", 0.0), ("on", 1.0), (True, 1.0), (2.5, 2.5), ("7", 7.0)],
)
def test_words_stand_for_numbers(written: Any, number: float) -> None:
    assert SETTING.validate_python(written) == number


def test_words_that_nobody_knows_stay_words_and_are_refused() -> None:
    assert number_of("oracle") == "oracle"
    with pytest.raises(ValidationError):
        SETTING.validate_python("oracle")


def test_the_predictors_are_those_of_the_planner_in_the_same_order() -> None:
    assert WORDS["predictor"] == tuple(PREDICTORS)


def test_behavior_is_the_default_but_for_the_windows_given() -> None:
    assert behavior_of({}) == HPA_DEFAULT
    changed = behavior_of({"up_window_s": 60.0, "down_window_s": 0.0})
    assert (changed.up.stabilization_s, changed.down.stabilization_s) == (60.0, 0.0)
    assert changed.up.policies == HPA_DEFAULT.up.policies
