"""The fallback where no model may be trusted: what was last seen stays, give or take a lot.

What is NOT promised: calibration. The forecast is flagged, and a flagged forecast never takes capacity away.
"""

import numpy as np
from numpy.random import Generator

from foretide.forecaster.past import RECENT, Past
from foretide.forecaster.tier import spread_picks
from foretide.policies.flow import REQUESTS, Floats

SIGMA = 0.4
"""Standard deviation of the log level: nine of ten paths lie between half and twice the level."""


def reactive(*, past: Past, horizon: int, count: int, rng: Generator) -> Floats:
    """Constant paths (count, horizon, 3): half at the newest measured row, half at a recent one, times a lognormal.

    For a past with at least one measured row. All indicators of a path move together.
    """
    measured = np.flatnonzero(np.isfinite(past.known[:, REQUESTS]))[-RECENT:]
    rows = np.repeat(past.newest[None], count, axis=0)
    rows[count // 2 :] = past.known[spread_picks(measured, count - count // 2, rng)]
    spread = np.exp(SIGMA * rng.standard_normal((count, 1)))
    return np.repeat((rows * spread)[:, None, :], horizon, axis=1)
