from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.forecaster.evaluate.baselines.simple import SIMPLE
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.protocol import Part, Protocol, Scale, harmony, lift_of, looks_ahead, scaled, unit_of
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

Made = Callable[..., Series]


@given(st.integers(60, 50_000), st.integers(1, 40), st.integers(1, 6), st.sampled_from(Part))
def test_no_fit_sees_a_row_within_an_embargo_of_its_origins(rows: int, horizon: int, fits: int, part: Part) -> None:
    protocol = Protocol(context=10, horizon=horizon, fits=fits, part=part)
    try:
        origins = protocol.origins(rows)
    except ValueError:
        assert rows * 0.2 < horizon + 3
        return
    turns = protocol.turns(origins)
    assert np.concatenate([served for _, served in turns]).tolist() == origins.tolist()
    assert all(learned <= max(2, served[0] - horizon) for learned, served in turns)
    _, first, end = protocol.split(rows)
    assert origins[0] == first
    assert origins[-1] + horizon <= end


@pytest.mark.parametrize("rows", [3000, 10_080, 89_280])
def test_there_are_at_least_500_origins_where_the_series_allows(rows: int) -> None:
    count = len(Protocol(context=10, horizon=15).origins(rows))
    assert count >= min(500, round(rows * 0.2) - 14)
    assert count <= 1500


def test_the_validation_part_ends_where_the_test_part_begins() -> None:
    protocol = Protocol(context=10, horizon=5)
    assert protocol.split(1000) == (600, 800, 1000)
    assert replace(protocol, part=Part.VALIDATION).split(1000) == (600, 600, 800)


def test_harmony_scores_each_row_of_the_last_fifth_one_step_ahead() -> None:
    protocol = harmony(Protocol(context=10, horizon=5))
    assert protocol.split(4464) == (3125, 3571, 4464)
    assert len(protocol.origins(4464)) == 893
    assert (protocol.context, protocol.horizon, protocol.scale) == (72, 1, Scale.MINMAX)


def test_a_series_too_short_is_refused_with_its_numbers() -> None:
    with pytest.raises(ValueError, match="40 rows are too few for a horizon of 15: 8 rows remain"):
        Protocol(context=10, horizon=15).origins(40)


def test_the_scale_is_that_of_training_rows_alone(series: Made) -> None:
    whole = series(rows=300, columns=2)
    altered = whole.values.copy()
    altered[200:] *= 100
    for scale in (Scale.MEAN, Scale.MINMAX):
        one = scaled(whole, train=200, scale=scale).values
        other = scaled(replace(whole, values=altered), train=200, scale=scale).values
        assert one[:200].tolist() == other[:200].tolist()
    unit = scaled(whole, train=200, scale=Scale.MINMAX).values[:200]
    assert (unit.min(), unit.max()) == (0.0, 1.0)
    assert scaled(whole, train=200, scale=Scale.MEAN).values[:200].mean(axis=0) == pytest.approx([1.0, 1.0])


def test_a_constant_or_unknown_indicator_keeps_its_numbers_finite(series: Made) -> None:
    values = np.column_stack([np.full(100, 7.0), np.zeros(100), np.full(100, np.nan)])
    still = replace(series(rows=100), values=values, columns=("a", "b", "c"))
    for scale in Scale:
        assert np.isfinite(scaled(still, train=60, scale=scale).values[:, :2]).all()


def test_lifted_zero_is_zero_again_and_what_never_varied_stays_there(series: Made) -> None:
    values = np.column_stack([50.0 + np.arange(100) % 9, np.full(100, 2e9)])
    given = replace(series(rows=100), values=values, columns=("a", "b"))
    for scale in Scale:
        zero, width = unit_of(given, train=60, scale=scale)
        lifted = scaled(given, train=60, scale=scale).values + lift_of(given, train=60, scale=scale)
        assert lifted[:, 0] == pytest.approx(values[:, 0] / width[0])
        assert lifted[:, 1] == pytest.approx((values[:, 1] - zero[1]) / width[1])


class _Peeks:
    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        rows = series.values[origins]  # the row of the origin itself is the first that must not be seen
        return np.broadcast_to(rows[:, None, None], (len(origins), count, horizon, rows.shape[1]))


def test_a_model_that_looks_at_one_row_too_many_is_caught(series: Made) -> None:
    told = looks_ahead(fitted=_Peeks(), series=series(), origins=np.array([300, 320]), horizon=4)
    assert told == "its paths of row 300 change when rows from 300 on do"


def test_a_model_that_keeps_to_its_rows_is_not(series: Made) -> None:
    fitted = SIMPLE[0].fit(series=series(), rows=200, horizon=4, context=24, seed=0)
    assert looks_ahead(fitted=fitted, series=series(), origins=np.array([300, 320]), horizon=4) == ""
