from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.evaluate.model import Series


def _series(*, rows: int = 400, columns: int = 1, step_s: float = 3600.0, seed: int = 0) -> Series:
    """Poisson counts around a sine of the day."""
    rng = np.random.default_rng(seed)
    wave = 20 * (1 + 0.7 * np.sin(2 * np.pi * np.arange(rows) * step_s / 86400))
    values = rng.poisson(wave[:, None] * np.arange(1, columns + 1), (rows, columns)).astype(np.float64)
    return Series("web", 0.0, step_s, tuple(f"c{index}" for index in range(columns)), values)


@pytest.fixture
def series() -> Callable[..., Series]:
    return _series
