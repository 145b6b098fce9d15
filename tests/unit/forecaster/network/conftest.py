import numpy as np
import pytest


def _rates(rows, seed=0, day=1440, columns=3):
    rng = np.random.default_rng(seed)
    level = 5.0 + 3.0 * np.sin(2 * np.pi * np.arange(rows) / day)
    requests = rng.poisson(60 * level) / 60
    lengths = (1.0, 700.0, 150.0)[:columns]
    return np.stack([requests * length for length in lengths], axis=1)


@pytest.fixture
def rates():
    return _rates
