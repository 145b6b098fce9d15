from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.past import past_of
from foretide.forecaster.persistence import PersistenceBootstrap, smoothed
from foretide.policies.flow import DemandHistory, Floats

History = Callable[..., DemandHistory]
NAN = float("nan")


def drawn(told: DemandHistory, *, horizon: int = 5, count: int = 200, seed: int = 1) -> Floats:
    paths = PersistenceBootstrap().paths(
        past=past_of(told), horizon=horizon, count=count, rng=np.random.default_rng(seed)
    )
    assert paths is not None
    return paths


def test_a_steady_climb_goes_on_from_the_last_value(history: History) -> None:
    paths = drawn(history(100.0 * 1.02 ** np.arange(80)), horizon=5)
    expected = 100.0 * 1.02 ** np.arange(80, 85)
    np.testing.assert_allclose(paths[:, :, 0].mean(axis=0), expected, rtol=0.02)


def test_indicators_of_a_path_move_together(history: History, days: Callable[..., Floats]) -> None:
    paths = drawn(history(days(400)))
    np.testing.assert_allclose(paths[:, :, 1], 1000 * paths[:, :, 0], rtol=1e-9)


def test_a_bridged_gap_counts_as_time_that_passed(history: History) -> None:
    climb = 100.0 * 1.02 ** np.arange(80)
    climb[-2:] = NAN
    paths = drawn(history(climb), horizon=1)
    assert paths[:, 0, 0].mean() == pytest.approx(100.0 * 1.02**80, rel=0.02)


def test_short_histories_chain_shorter_changes(history: History) -> None:
    paths = drawn(history([3.0, 4.0, 3.0, 5.0, 4.0]), horizon=12)
    assert paths.shape == (200, 12, 3)
    assert paths[:, -1, 0].std() > paths[:, 0, 0].std()


def test_one_row_teaches_no_change(history: History) -> None:
    past = past_of(history([NAN, NAN, NAN, 3.0]))
    assert PersistenceBootstrap().paths(past=past, horizon=2, count=5, rng=np.random.default_rng(0)) is None


def test_the_same_noise_gives_the_same_paths(history: History, days: Callable[..., Floats]) -> None:
    told = history(days(300))
    np.testing.assert_array_equal(drawn(told, seed=7), drawn(told, seed=7))
    assert not np.array_equal(drawn(told, seed=7), drawn(told, seed=8))


def test_smoothing_is_the_exponential_mean_of_the_measured_rows() -> None:
    rng = np.random.default_rng(1)
    rows = rng.gamma(2.0, size=(300, 3))
    rows[rng.random(300) < 0.2] = np.nan
    rows[:4] = np.nan
    level, expected = np.full(3, np.nan), []
    for row in rows:
        if np.isfinite(row).all():
            level = row if np.isnan(level).any() else level + 0.3 * (row - level)
        expected.append(level)
    np.testing.assert_array_equal(smoothed(rows, 0.3), np.array(expected))
