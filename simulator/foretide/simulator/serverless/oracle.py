"""What nobody can beat: ready in every minute that has requests, at the least cost. It knows the future."""

import numpy as np

from foretide.policies.warm.hold import MINUTE_S, Held
from foretide.simulator.serverless.calls import Calls
from foretide.simulator.serverless.fleet import Begun, Ended
from foretide.simulator.serverless.keepers import READY


class Oracle:
    """Holds through an idle period that costs no more than a start, and starts just in time after a longer one."""

    def __init__(self, calls: Calls, *, wake_s: float) -> None:
        self._asked = [np.flatnonzero(row) for row in calls.counts]
        self._minutes, self._wake_s = calls.counts.shape[1], wake_s

    def ended(self, past: Ended) -> None:
        """It knows."""

    def held(self, now: Begun) -> Held:
        plans = np.zeros((len(now.who), self._minutes + 1), dtype=np.int8)
        for plan, model in zip(plans, now.who, strict=True):
            later = self._asked[model]
            place = int(np.searchsorted(later, now.minute, side="right"))
            if place < len(later):
                gap = int(later[place]) - now.minute
                begin = 0 if (gap - 1) * MINUTE_S <= self._wake_s else gap - 1
                plan[begin:gap] = READY
        return Held(plans)
