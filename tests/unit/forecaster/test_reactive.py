from collections.abc import Callable

import numpy as np

from foretide.forecaster.past import past_of
from foretide.forecaster.reactive import reactive
from foretide.policies.flow import DemandHistory

History = Callable[..., DemandHistory]


def test_a_single_measurement_stays_with_a_wide_spread(history: History) -> None:
    paths = reactive(past=past_of(history([40.0])), horizon=4, count=2000, rng=np.random.default_rng(0))
    low, middle, high = np.quantile(paths[:, 0, 0], [0.05, 0.5, 0.95])
    assert 18 < low < 23
    assert 38 < middle < 42
    assert 70 < high < 86
    assert (paths == paths[:, :1]).all()


def test_recent_demand_is_remembered_when_the_newest_is_zero(history: History) -> None:
    paths = reactive(past=past_of(history([40.0] * 29 + [0.0])), horizon=2, count=200, rng=np.random.default_rng(0))
    assert (paths[:, 0, 0] == 0).mean() > 0.49
    assert np.quantile(paths[:, 0, 0], 0.75) > 25
