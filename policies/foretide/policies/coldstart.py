"""What observed starts teach about the cold start: a lognormal, the prior worth a few starts.

Means and variances of the log are pooled by weight. The distance between prior and observations does not count as
spread, as it would in the textbook's conjugate update: a prior that was simply wrong would lengthen every planning
horizon for dozens of starts.

What is NOT promised: forgetting. Whoever calls decides which starts still speak of the present template.
"""

from collections.abc import Sequence
from math import log, sqrt

import numpy as np

from foretide.policies.flow import ColdStart

PRIOR_STARTS = 3.0
"""The prior weighs as much as this many observed starts."""
SHORTEST_S = 0.1


def learned(prior: ColdStart, starts: Sequence[float]) -> ColdStart:
    """The lognormal after observing `starts`, seconds from order to ready each; the prior without any."""
    if not len(starts):
        return prior
    logs = np.log(np.maximum(np.asarray(starts, dtype=np.float64), SHORTEST_S))
    count, own, before = len(logs), float(logs.mean()), log(prior.median_s)
    weight = PRIOR_STARTS + count
    centre = (PRIOR_STARTS * before + count * own) / weight
    spread = PRIOR_STARTS * prior.sigma**2 + float(((logs - own) ** 2).sum())
    return ColdStart(float(np.exp(centre)), sqrt(spread / weight), observed=count)
