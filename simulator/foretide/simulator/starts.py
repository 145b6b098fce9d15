"""How long a replica takes to start. The n-th start of a run takes the same time whatever the policy decided before
(common random numbers).
"""

from dataclasses import dataclass
from math import exp

import numpy as np


@dataclass(frozen=True, slots=True)
class StartTier:
    """A lognormal cold start: median in seconds, sigma of the log."""

    median_s: float
    sigma: float

    def start_s(self, *, ordinal: int, seed: int) -> float:
        """Seconds that the start with this ordinal takes in a run with this seed."""
        normal = float(np.random.default_rng((seed, ordinal)).standard_normal())
        return self.median_s * exp(self.sigma * normal)
