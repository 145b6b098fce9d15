"""Step tables: recognised by their columns, with the meaning that their own totals show."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from foretide.simulator.points import Points, chosen, observe_points, points_of
from foretide.simulator.profiles import StepTimes
from foretide.simulator.requests import BadTrace

STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)


def read(**columns: Any) -> Points:
    found = points_of(pd.DataFrame(columns), name="table.csv")
    assert found is not None
    return found


def rows(points: Points) -> list[tuple[bool, float, float, float]]:
    columns = zip(points.decodes, points.requests, points.tokens, points.measured_ms, strict=True)
    return [(bool(kind), *(round(float(each), 6) for each in numbers)) for kind, *numbers in columns]


def test_our_own_columns_hold_decode_steps_and_prompts_side_by_side() -> None:
    nan = float("nan")
    found = read(
        batch=[4, 2, nan],
        context_tokens=[100, nan, nan],
        decode_ms=[12.0, nan, nan],
        prompt_tokens=[nan, 512, 256],
        prefill_ms=[nan, 30.0, 15.0],
    )
    assert rows(found) == [(True, 4, 100, 12.0), (False, 2, 512, 30.0), (False, 1, 256, 15.0)]


def test_steps_alone_and_prompts_alone_are_tables_too() -> None:
    assert rows(read(batch=[4], context_tokens=[100], decode_ms=[12.0])) == [(True, 4, 100, 12.0)]
    assert rows(read(prompt_tokens=[512], prefill_ms=[30.0])) == [(False, 1, 512, 30.0)]
    assert rows(read(PromptLength=[512], ExecTime=[0.03])) == [(False, 1, 512, 30.0)]


def test_dynamo_counts_requests_by_the_cache_unless_they_wait() -> None:
    """1000 tokens of a cache of 10,000 are 10 requests of 100; at 4 tokens in 1 ms only 4 of them run."""
    found = read(
        kv_usage=[0.1, 0.1],
        context_length=[100.0, 100.0],
        itl_ms=[1.0, 1.0],
        max_kv_tokens=[10_000, 10_000],
        thpt_per_gpu=[9_900.0, 4_000.0],
    )
    assert rows(found) == [(True, 10, 100, 1.0), (True, 4, 100, 1.0)]
    assert rows(read(prefill_isl=[100], prefill_ttft_ms=[9.0])) == [(False, 1, 100, 9.0)]


@pytest.mark.parametrize(("unit", "whole"), [(1.0, False), (0.001, True), (0.001, False), (1.0, True)])
def test_unit_and_meaning_of_a_token_time_follow_from_the_whole(unit: float, whole: bool) -> None:
    """A prompt of 100 ms and 10 further tokens of 20 ms each."""
    found = read(
        prompt_size=[500],
        batch_size=[2],
        token_size=[11],
        prompt_time=[100.0 * unit],
        token_time=[(200.0 if whole else 20.0) * unit],
        e2e_time=[300.0 * unit],
    )
    assert rows(found) == [(True, 2, 505.5, 20.0), (False, 2, 500, 100.0)]


def test_points_are_predicted_by_the_forms_of_a_step() -> None:
    points = Points(np.array([True, False]), np.array([4.0, 2.0]), np.array([100.0, 512.0]), np.ones(2))
    mixture = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6, expert_d_ms=4.0, expert_share=0.5)
    prefill = 8.0 + 0.02 * 1024 + 1e-6 * 2 * 512**2
    assert points.predicted(STEPS) == pytest.approx([STEPS.decode_ms(decodes=4, context=100), prefill])
    assert points.predicted(mixture)[0] == pytest.approx(mixture.decode_ms(decodes=4, context=100))


def test_repetitions_of_a_point_are_held_out_together_and_count_as_one() -> None:
    found = observe_points(
        read(batch=[1] * 4 + [2], context_tokens=[100] * 5, decode_ms=[1.0, 1.1, 0.9, 1.0, 2.0]), name="t.csv"
    )
    assert len(set(found.fold[:4])) == 1
    assert found.weight == pytest.approx([0.5] * 4 + [1.0])
    assert (found.ranges.batch, found.ranges.context, found.ranges.prompt) == ((1, 2), (100, 100), None)
    assert found.described == "5 decode steps of t.csv"


def test_another_table_is_not_taken_for_points() -> None:
    assert points_of(pd.DataFrame({"a": [1]}), name="t.csv") is None


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"batch": [0], "context_tokens": [1], "decode_ms": [1]}, "batch: 0 in point 1"),
        ({"batch": [1], "context_tokens": [-5], "decode_ms": [1]}, "tokens: -5 in point 1"),
        ({"batch": [1], "context_tokens": [5], "decode_ms": [0]}, "time: 0 in point 1"),
        ({"batch": [1, 1], "context_tokens": [5, 5], "decode_ms": [1, "x"]}, "time: nan in point 2"),
        ({"prompt_tokens": [None], "prefill_ms": [None]}, "holds no point with a time"),
    ],
)
def test_what_is_no_time_is_refused(columns: dict[str, Any], told: str) -> None:
    with pytest.raises(BadTrace, match=told):
        points_of(pd.DataFrame(columns), name="table.csv")


def test_rows_are_chosen_by_their_values_as_people_write_them() -> None:
    table = pd.DataFrame({"model": ["a", "b"], "tp_size": [2.0, 4.0], "x": [1, 2]})
    assert chosen(table, {"model": "b", "tp_size": "4"}, name="t")["x"].tolist() == [2]


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({}, "model: a, b: rows of more than one kind; choose with --where model=..."),
        ({"model": "c"}, "--where: model=c: no such row; t has a, b"),
        ({"modle": "a"}, "--where: modle: no such column; t has model, x"),
    ],
)
def test_rows_of_several_deployments_are_never_mixed(where: dict[str, str], told: str) -> None:
    with pytest.raises(BadTrace, match=told):
        chosen(pd.DataFrame({"model": ["a", "b"], "x": [1, 2]}), where, name="t")
