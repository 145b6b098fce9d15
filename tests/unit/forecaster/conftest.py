from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from foretide.policies.flow import DemandHistory, Floats, Trust, frozen


def _history(requests: Any, *, step: float = 60.0, trust: Trust = Trust.FRESH, why: str = "") -> DemandHistory:
    """A history from time 0 with these requests/s, 1,000 prompt and 200 output tokens each."""
    rate = np.asarray(requests, dtype=np.float64)
    values = np.column_stack([rate, 1000 * rate, 200 * rate])
    return DemandHistory(start=0.0, step=step, values=frozen(values), trust=trust, why=why)


def _days(rows: int, *, seed: int = 0, period: int = 1440, mean: float = 20.0) -> Floats:
    """Requests/s by minute: Poisson counts around a sine of the day with a slow wander."""
    rng = np.random.default_rng(seed)
    wander = np.zeros(rows)
    for i in range(1, rows):
        wander[i] = 0.97 * wander[i - 1] + 0.03 * rng.standard_normal()
    rate = mean * (1 + 0.7 * np.sin(2 * np.pi * np.arange(rows) / period)) * np.exp(wander)
    return np.asarray(rng.poisson(60 * rate) / 60, dtype=np.float64)


@pytest.fixture
def history() -> Callable[..., DemandHistory]:
    return _history


@pytest.fixture
def days() -> Callable[..., Floats]:
    return _days
