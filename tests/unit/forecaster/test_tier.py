from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.past import past_of
from foretide.forecaster.tier import blocks, ceiling, spread_picks
from foretide.policies.flow import DemandHistory

History = Callable[..., DemandHistory]


def test_calm_demand_may_always_double(history: History) -> None:
    rates = 50.0 + np.sin(np.arange(200))
    np.testing.assert_allclose(ceiling(past_of(history(rates)), 10), 2 * rates.max() * np.array([1, 1000, 200]))


def test_demand_that_grew_fourfold_may_do_so_again(history: History) -> None:
    rates = np.full(200, 10.0)
    rates[100:130] = 40.0
    assert ceiling(past_of(history(rates)), 10)[0] == pytest.approx(4 * 40.0)


def test_growth_from_idleness_has_a_limit(history: History) -> None:
    rates = np.full(200, 0.01)
    rates[100:130] = 50.0
    assert ceiling(past_of(history(rates)), 10)[0] == pytest.approx(10 * 50.0)


def test_picks_are_even_over_the_candidates() -> None:
    picks = spread_picks(np.arange(10), 30, np.random.default_rng(0))
    assert np.bincount(picks).tolist() == [3] * 10


def test_blocks_are_consecutive_rows() -> None:
    rows = np.arange(8.0)[:, None]
    np.testing.assert_array_equal(blocks(rows, np.array([2, 5]), 3)[:, :, 0], [[2, 3, 4], [5, 6, 7]])
