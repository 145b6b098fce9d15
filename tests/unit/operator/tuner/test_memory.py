"""What is remembered survives as text, stays small, and is forgotten where it makes no sense."""

import json

import pytest

from foretide.operator.tuner.memory import MOST, Memory, remembered
from foretide.policies.concurrency.in_time import Changed, Past

KNOWN = Memory(
    limit=69,
    ours=69,
    canary_ours=(69, 75),
    lengths={"lengths": [4000.5, 200.25]},
    past=Past(((9, 10),), Changed(100, 69, 1.7e9, ("abc",), rolled=False, windows=((8, 10),)), 1.7e9, 0.0, 2),
    role="canary",
    learnt={"agent": {"rows": [[1.0, 2.0]]}},
    conflict=3,
    knob="ConfigMap llama data.limit",
)


def test_all_of_it_comes_back() -> None:
    assert remembered(KNOWN.text()) == KNOWN
    assert remembered(Memory().text()) == Memory()


@pytest.mark.parametrize("text", [None, "", "{", "[]", "7", "{}", '{"limit": 1}'])
def test_what_makes_no_sense_is_nothing(text: object) -> None:
    assert remembered(text) == Memory()


def test_what_was_learnt_is_dropped_where_it_grows_too_large_and_the_rest_is_kept() -> None:
    large = Memory(ours=69, learnt={"rows": list(range(MOST))}, role="canary")
    text = large.text()
    assert len(text) < MOST
    assert remembered(text) == Memory(ours=69)


def test_numbers_with_decimals_are_shortened() -> None:
    assert json.loads(Memory(learnt={"x": 0.123456789}).text())["learnt"] == {"x": 0.12346}
