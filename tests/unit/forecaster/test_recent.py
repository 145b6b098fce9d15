from collections.abc import Callable

import numpy as np

from foretide.forecaster.past import past_of
from foretide.forecaster.recent import Recent
from foretide.policies.flow import DemandHistory

History = Callable[..., DemandHistory]
NAN = float("nan")


def test_paths_are_stretches_of_the_last_72_rows(history: History) -> None:
    rates = np.concatenate([np.full(100, 999.0), np.arange(1.0, 73.0)])
    paths = Recent().paths(past=past_of(history(rates)), horizon=6, count=64, rng=np.random.default_rng(0))
    assert paths is not None
    assert paths[:, :, 0].max() <= 72
    assert (np.diff(paths[:, :, 0], axis=1) == 1).all()


def test_no_stretch_spans_a_gap(history: History) -> None:
    rates = np.arange(1.0, 73.0)
    rates[30:40] = NAN
    paths = Recent().paths(past=past_of(history(rates)), horizon=6, count=200, rng=np.random.default_rng(0))
    assert paths is not None
    assert np.isfinite(paths).all()
    assert not ((paths[:, :, 0] > 33) & (paths[:, :, 0] < 41)).any()


def test_a_horizon_beyond_the_memory_is_chained(history: History) -> None:
    paths = Recent().paths(past=past_of(history([1.0, 2.0, 3.0])), horizon=50, count=9, rng=np.random.default_rng(0))
    assert paths is not None
    assert paths.shape == (9, 50, 3)
    assert set(np.unique(paths[:, :, 0])) == {1.0, 2.0, 3.0}


def test_no_measured_row_gives_no_paths(history: History) -> None:
    past = past_of(history([NAN] * 10))
    assert Recent().paths(past=past, horizon=2, count=4, rng=np.random.default_rng(0)) is None
