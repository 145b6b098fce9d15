"""Measured tables: read as SplitwiseSim reads them, by batch size, and as a line in batch and context."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import interp1d

from foretide.simulator.lookup import (
    BadTable,
    Curve,
    FittedDecodes,
    Lookup,
    MeasuredTimes,
    read_measured_times,
)


def measured(rows: list[tuple[float, float, float, float, float]]) -> MeasuredTimes:
    """Prompt tokens, batch, output tokens, seconds of the prompts, seconds of a token."""
    return MeasuredTimes(*(np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)))


def table(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": "m",
            "hardware": "g",
            "tensor_parallel": 8,
            "prompt_size": [100, 200],
            "batch_size": 1,
            "token_size": 10,
            "prompt_time": [5.0, 10.0],
            "token_time": [2.0, 3.0],
            **columns,
        }
    )


def written(folder: Path, frame: pd.DataFrame) -> Path:
    frame.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


@given(
    points=st.lists(st.integers(1, 10_000), min_size=2, max_size=9, unique=True),
    heights=st.lists(st.floats(10.0, 11.0), min_size=9, max_size=9),
    at=st.floats(0.0, 1.2),
)
def test_a_curve_is_scipys_line_prolonged_at_both_ends(points: list[int], heights: list[float], at: float) -> None:
    points = sorted(points)
    heights = heights[: len(points)]
    place = points[0] - 1 + at * (points[-1] - points[0])
    wanted = float(interp1d(points, heights, fill_value="extrapolate")(place))
    curve = Curve("token_time", tuple(points), tuple(heights))
    if wanted > 0:
        assert curve.at(place) == pytest.approx(wanted, rel=1e-9)
    else:
        with pytest.raises(BadTable, match=r"^token_time: .* ms at .* measure there too"):
            curve.at(place)


def test_rows_with_equally_many_prompt_tokens_count_by_their_median() -> None:
    rows = [(512, 2, 9, 0.10, 0.02), (1024, 1, 9, 0.12, 0.03), (1024, 1, 9, 0.50, 0.04), (512, 1, 9, 0.06, 0.01)]
    found = Lookup.of(measured(rows))
    assert found.prompt == Curve("prompt_time", (512.0, 1024.0), (0.06, 0.12))
    assert found.token == Curve("token_time", (512.0, 1024.0), (0.01, 0.03))
    assert Lookup.by_batch(measured(rows)).token == Curve("token_time", (1.0, 2.0), (0.03, 0.02))


def test_a_decode_beside_a_prompt_costs_a_tenth_and_its_token() -> None:
    found = Lookup(Curve("prompt_time", (0.0, 1000.0), (0.1, 1.1)), Curve("token_time", (0.0, 100.0), (0.2, 0.4)))
    assert found.iteration_s(prompt_tokens=500, decodes=0, context=0) == pytest.approx(0.6)
    assert found.iteration_s(prompt_tokens=490, decodes=10, context=9) == pytest.approx(1.1 * 0.6)
    assert found.iteration_s(prompt_tokens=0, decodes=50, context=9) == pytest.approx(0.3)


@given(
    a=st.floats(1.0, 50.0),
    b=st.floats(0.0, 1.0),
    c=st.floats(0.0, 1e-3),
    batches=st.sets(st.integers(1, 64), min_size=2),
)
def test_coefficients_behind_a_table_are_found_again(a: float, b: float, c: float, batches: set[int]) -> None:
    rows = [
        (prompt, batch, 64.0, 0.1 + batch * prompt, (a + b * batch + c * batch * (prompt + 32.0)) / 1000.0)
        for batch in sorted(batches)
        for prompt in (100.0, 900.0)
    ]
    fitted = FittedDecodes.of(measured(rows))
    assert (fitted.a_s, fitted.b_s, fitted.c_s) == pytest.approx((a / 1e3, b / 1e3, c / 1e3), rel=1e-6, abs=1e-9)
    assert fitted.error < 1e-6
    assert fitted.iteration_s(prompt_tokens=0, decodes=3, context=700) == pytest.approx((a + 3 * b + 700 * c) / 1e3)
    assert fitted.iteration_s(prompt_tokens=9, decodes=3, context=700) == fitted.lookup.iteration_s(
        prompt_tokens=9, decodes=3, context=700
    )


def test_a_batch_that_never_varies_says_nothing_of_its_share() -> None:
    with pytest.raises(BadTable, match=r"^batch_size: 4 in every row: measure batches of several sizes"):
        FittedDecodes.of(measured([(100, 4, 9, 0.1, 0.02), (200, 4, 9, 0.2, 0.03)]))


def test_one_point_makes_no_line() -> None:
    with pytest.raises(BadTable, match=r"^prompt_time: measured in 1 place: a line needs 2"):
        Lookup.of(measured([(100, 1, 9, 0.1, 0.02)]))


def test_milliseconds_become_seconds(tmp_path: Path) -> None:
    found = read_measured_times(written(tmp_path, table()), model="m", hardware="g", tp=8)
    np.testing.assert_allclose(found.prompt_s, [0.005, 0.010])
    np.testing.assert_allclose(found.token_s, [0.002, 0.003])
    np.testing.assert_array_equal(found.prompt_tokens, [100, 200])


def test_a_missing_combination_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="there are m on g with 8"):
        read_measured_times(written(tmp_path, table()), model="m", hardware="g", tp=4)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"token_time": [1.0, None]}, "^token_time: nan in row 2: give a number above 0"),
        ({"prompt_time": [-1.0, 2.0]}, "^prompt_time: -1.0 in row 1: give a number above 0"),
        ({"batch_size": ["two", "1"]}, "^batch_size: two in row 1: give a number above 0"),
        ({"prompt_size": [float("inf"), 1.0]}, "^prompt_size: inf in row 1"),
    ],
)
def test_what_is_no_measurement_is_refused_in_one_line(tmp_path: Path, columns: dict[str, object], told: str) -> None:
    with pytest.raises(BadTable, match=told):
        read_measured_times(written(tmp_path, table(**columns)), model="m", hardware="g", tp=8)


def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(BadTable, match=r"^content: empty\.csv: .*; give CSV or CSV\.gz"):
        read_measured_times(tmp_path / "empty.csv", model="m", hardware="g", tp=8)
    with pytest.raises(BadTable, match=r"^path: none\.csv: .*; name a file"):
        read_measured_times(tmp_path / "none.csv", model="m", hardware="g", tp=8)
    with pytest.raises(BadTable, match=r"^columns: token_time missing: table\.csv needs model, hardware"):
        read_measured_times(written(tmp_path, table().drop(columns="token_time")), model="m", hardware="g", tp=8)


@pytest.mark.data
@pytest.mark.parametrize(
    ("hardware", "prompts_ms", "tokens_ms"),
    [
        ("a100-80gb", (65, 94, 154, 274, 661, 1550), (44.9, 46.5, 50.4, 53.0, 71.6)),
        ("h100-80gb", (58, 53, 78, 137, 390, 845), (29.8, 32.5, 34.2, 38.6, 50.2)),
    ],
)
def test_the_published_medians_of_llama2_70b_are_read(
    hardware: str, prompts_ms: tuple[float, ...], tokens_ms: tuple[float, ...]
) -> None:
    """Prompts of 128 to 8192 tokens alone; tokens in batches of 1 to 64 behind prompts of 512 (papers.md 3.3)."""
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip("FORETIDE_DATA is not set: profiles/splitwise_a100_h100.csv.gz was not read")
    path = Path(folder) / "profiles/splitwise_a100_h100.csv.gz"
    found = read_measured_times(path, model="llama2-70b", hardware=hardware, tp=8)
    for prompt, wanted in zip((128, 512, 1024, 2048, 4096, 8192), prompts_ms, strict=True):
        alone = (found.prompt_tokens == prompt) & (found.batch == 1) & (found.output_tokens == 128)
        assert 1000 * np.median(found.prompt_s[alone]) == pytest.approx(wanted, abs=0.6)
    for batch, wanted in zip((1, 8, 16, 32, 64), tokens_ms, strict=True):
        together = (found.prompt_tokens == 512) & (found.batch == batch) & (found.output_tokens == 128)
        assert 1000 * np.median(found.token_s[together]) == pytest.approx(wanted, abs=0.06)
    by_batch = Lookup.by_batch(found)
    assert 1000 * by_batch.token.at(48) == pytest.approx((tokens_ms[3] + tokens_ms[4]) / 2, abs=0.1)
    fitted = FittedDecodes.of(found)
    line = [fitted.iteration_s(prompt_tokens=0, decodes=n, context=n * (512 + 64)) for n in (1, 8, 16, 32, 64)]
    assert np.abs(1000 * np.array(line) / tokens_ms - 1).mean() < 0.05
