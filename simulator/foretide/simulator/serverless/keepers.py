"""Rivals: what decides how long an idle model stays ready on the platforms of today, and in the literature.

Where a rule was published with words only, its reading here is said beside it.
"""

import numpy as np

from foretide.policies.service import Floats
from foretide.policies.warm.hold import Held
from foretide.policies.warm.idle import Whole
from foretide.simulator.serverless.fleet import Begun, Ended

READY = 1
RANGE_MIN = 240
"""Longest idle time that the hybrid histogram counts: 4 hours in bins of a minute."""
HEAD, TAIL, MARGIN = 0.05, 0.99, 0.10
"""Percentiles of idle times where it begins and ends to be ready, and the margin around both."""
REPRESENTATIVE = 2.0
"""Coefficient of variation of the bins' counts below which a histogram says nothing."""
OUT_OF_BOUNDS, FORECAST_MARGIN = 0.5, 0.15
"""Share of longer idle times from which on they are forecast, and the margin around that."""
FARTHEST_MIN = 1700
"""No plan of it goes farther: a day and the margin."""


class FixedKeepAlive:
    """Ready for so many minutes after the last request: a platform's keep-alive, KEDA's cooldownPeriod, and with one
    minute Knative's stable window at its default.
    """

    def __init__(self, minutes: int) -> None:
        tiers = np.zeros(minutes + 1, dtype=np.int8)
        tiers[:minutes] = READY
        self._plan = tiers

    def ended(self, past: Ended) -> None:
        """Nothing is learned."""

    def held(self, now: Begun) -> Held:
        return Held(np.broadcast_to(self._plan, (len(now.who), len(self._plan))))


class HybridHistogram:
    """Shahrad et al., Serverless in the Wild (ATC 2020), the policy of section 4: a histogram of each model's idle
    times, stop until the head, ready until the tail; all of the range while the histogram says nothing.

    Idle times beyond the range are forecast there by ARIMA; here by their mean (a day has too few of them to fit one).
    The range makes the curve, as in the paper's own figures.
    """

    def __init__(self, models: int, *, range_min: int = RANGE_MIN) -> None:
        self._range = range_min
        self._bins = np.zeros((models, range_min + 1))
        self._longer, self._longer_sum = np.zeros(models), np.zeros(models)

    def ended(self, past: Ended) -> None:
        who, idle = past.who, past.gaps - 1
        inside = idle <= self._range
        np.add.at(self._bins, (who[inside], idle[inside]), 1)
        self._longer[who[~inside]] += 1
        self._longer_sum[who[~inside]] += past.gaps[~inside]

    def held(self, now: Begun) -> Held:
        begin, end = self._windows(now.who)
        age = np.arange(1, FARTHEST_MIN + 1)
        return Held(((age > begin[:, None]) & (age <= end[:, None])).astype(np.int8))

    def _windows(self, who: Whole) -> tuple[Floats, Floats]:
        """Ready for ages beyond the first and up to the second, in minutes."""
        bins = self._bins[who]
        inside, longer = bins.sum(axis=1), self._longer[who]
        head, tail = (self._percentile(bins, share) for share in (HEAD, TAIL))
        begin, end = np.floor(head * (1 - MARGIN)), np.ceil((tail + 1) * (1 + MARGIN))
        spread = bins.std(axis=1) / np.maximum(bins.mean(axis=1), 1e-12)
        vague = (spread < REPRESENTATIVE) | (inside == 0)
        begin, end = np.where(vague, 0, begin), np.where(vague, self._range, end)
        mean = self._longer_sum[who] / np.maximum(longer, 1)
        far = (longer > 0) & (longer / np.maximum(inside + longer, 1) >= OUT_OF_BOUNDS)
        begin = np.where(far, np.floor(mean * (1 - FORECAST_MARGIN)), begin)
        return begin, np.where(far, np.ceil(mean * (1 + FORECAST_MARGIN)), end)

    @staticmethod
    def _percentile(bins: Floats, share: float) -> Floats:
        sums = bins.cumsum(axis=1)
        return np.asarray((sums < share * sums[:, -1:]).sum(axis=1), dtype=np.float64)
