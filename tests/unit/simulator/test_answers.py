import math
import pickle
from typing import Any

import numpy as np
import pytest
from staged import bench

from foretide.simulator.answers import BadPolicy
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.run import run_policy


class Saying:
    """Says, or raises, the same thing every time."""

    def __init__(self, said: Any, *, name: Any = "odd", interval_s: Any = 15.0, begins_with: Any = None) -> None:
        self._said = said
        self.name, self.interval_s, self.begins_with = name, interval_s, begins_with

    def decide(self, view: View) -> Choice:
        if isinstance(self._said, Exception):
            raise self._said
        return self._said  # type: ignore[no-any-return]


def said(replicas: Any) -> Saying:
    return Saying(Choice(replicas, "Odd", "says so"))


@pytest.mark.parametrize(
    ("replicas", "shown"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-1, "-1"),
        (10**9, "1000000000"),
        ("3", "'3'"),
        (3.5, "3.5"),
        (True, "True"),
    ],
)
def test_a_count_that_makes_no_sense_names_the_policy_the_time_and_what_it_said(replicas: Any, shown: str) -> None:
    with pytest.raises(BadPolicy) as refused:
        run_policy(bench=bench(1.0), autoscaler=said(replicas))
    line = f"policy odd at 5 s: {shown}: replicas must be a whole number from 0 to 8, or None"
    assert str(refused.value) == line


def test_whole_numbers_of_any_kind_are_counts() -> None:
    run = run_policy(bench=bench(1.0), autoscaler=said(np.int64(3)))
    assert run.orders == ((0.0, 1), (5.0, 3))
    assert type(run.orders[1][1]) is int


def test_what_a_policy_raises_is_told_in_one_line() -> None:
    with pytest.raises(BadPolicy) as refused:
        run_policy(bench=bench(1.0), autoscaler=Saying(ZeroDivisionError("division\nby zero")))
    assert str(refused.value).startswith("policy odd at 5 s: ZeroDivisionError: division by zero: it raised")
    assert isinstance(refused.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("answer", [None, 3, "more", Choice(2, None, "why"), Choice(2, "Word", 7)])  # type: ignore[arg-type]
def test_an_answer_that_is_no_choice_is_refused(answer: Any) -> None:
    with pytest.raises(BadPolicy, match=r"^policy odd at 5 s: "):
        run_policy(bench=bench(1.0), autoscaler=Saying(answer))


@pytest.mark.parametrize("interval_s", [0.0, -15.0, math.nan, math.inf, 1e-9, "15", None])
def test_an_interval_that_never_ends_a_run_is_refused(interval_s: Any) -> None:
    policy = Saying(Choice(None, "Odd", "rests"), interval_s=interval_s)
    with pytest.raises(BadPolicy, match=r"^policy odd at the start: .*interval_s must be a finite number of seconds"):
        run_policy(bench=bench(1.0), autoscaler=policy)


@pytest.mark.parametrize("begins_with", [-1, 10**9, 2.5, "many"])
def test_a_first_count_that_makes_no_sense_is_refused(begins_with: Any) -> None:
    policy = Saying(Choice(None, "Odd", "rests"), begins_with=begins_with)
    with pytest.raises(BadPolicy, match=r"^policy odd at the start: .*from 0 to 8"):
        run_policy(bench=bench(1.0), autoscaler=policy)


def test_a_long_answer_is_cut_and_survives_the_way_from_a_worker() -> None:
    with pytest.raises(BadPolicy) as refused:
        run_policy(bench=bench(1.0), autoscaler=said("x" * 1000))
    assert len(str(refused.value)) < 200
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
