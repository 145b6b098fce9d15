"""A newest measurement that the pool did not hold possible: for one horizon, scores of before it decide half only.

What a tier has earned it earned in the regime that just ended, and no forecast made since has matured: until then the
other half of the paths goes to tiers that start from the newest rows.

What is NOT promised: that a shock lasts. A single row far out has the same effect, for one horizon.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from foretide.forecaster.maturity import Pending
from foretide.forecaster.past import Past
from foretide.policies.flow import REQUESTS

FAR = 1.5
"""A row this many times as far from the median as the outermost of `SAMPLES` paths is a shock."""
FOLLOWING = 0.5
"""The share of tiers that start from the newest rows, for one horizon after a shock."""


def shocked(waiting: Sequence[Pending], past: Past) -> bool:
    """Whether the newest row's requests/s lie far outside the newest forecast of them; False where it is missing."""
    if past.age or not waiting:
        return False
    newest = max(waiting, key=lambda one: one.made_at)
    ahead = round((past.end - newest.made_at) / past.step) - 1
    if not 0 <= ahead < newest.pooled.shape[1]:
        return False
    told, came = newest.pooled[:, ahead], float(past.newest[REQUESTS])
    middle = float(np.median(told))
    outermost = float(told.max()) if came > middle else float(told.min())
    return abs(came - middle) > FAR * abs(outermost - middle)


def shared(weights: Mapping[str, float], following: Mapping[str, float]) -> dict[str, float]:
    """`FOLLOWING` of the weights by `following`, the rest as they were; both sum to 1 over their names."""
    return {name: (1 - FOLLOWING) * weight + FOLLOWING * following.get(name, 0.0) for name, weight in weights.items()}
