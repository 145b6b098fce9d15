"""Fuerst and Sharma, FaaSCache (ASPLOS 2021): idle models stay ready while there is room, and the one with the least
priority goes, which is clock + requests x start time / size (Greedy-Dual-Size-Frequency). The clock is the priority of
the last one that went. Here all models are of one size and start alike, so that a priority is clock + requests.

A rival with a budget instead of a time: `slots` models are held at most, more only while more are asked for at once.
"""

import numpy as np
from numpy.typing import NDArray

from foretide.policies.warm.hold import MINUTE_S
from foretide.policies.warm.idle import Whole
from foretide.simulator.serverless.calls import Calls, waiting
from foretide.simulator.serverless.fleet import Served, below_1


def run_greedy_dual(calls: Calls, *, slots: int, wake_s: float, scored_from: int, service_s: float = 1.0) -> Served:
    """The whole trace; sums are of the minutes from `scored_from` on."""
    cache = _Cache(calls, slots=slots, wake_s=wake_s, service_s=service_s)
    for minute in range(calls.counts.shape[1]):
        cache.minute(minute, scored=minute >= scored_from)
    cache.close(np.flatnonzero(cache.ready))
    asked = calls.counts[:, scored_from:]
    starts = cache.starts
    return Served(
        requests=int(asked.sum()),
        cold_requests=cache.cold,
        waited_s=cache.waited_s,
        cold_starts=starts,
        starts=starts,
        serving_s=MINUTE_S * float((asked > 0).sum()),
        held_s=cache.held_s,
        starting_s=starts * wake_s,
        pods=cache.pods,
        pods_below_1=cache.below,
    )


class _Cache:
    def __init__(self, calls: Calls, *, slots: int, wake_s: float, service_s: float) -> None:
        models = len(calls.names)
        self.counts, self.slots, self.wake_s, self.service_s = calls.counts, slots, wake_s, service_s
        self.ready = np.zeros(models, dtype=bool)
        self.clock, self.priority, self.used = 0.0, np.zeros(models), np.zeros(models)
        self.first, self.last = (np.zeros(models, dtype=np.int64) for _ in range(2))
        self.cold, self.waited_s, self.held_s = 0.0, 0.0, 0.0
        self.starts, self.pods, self.below = 0, 0, 0

    def minute(self, minute: int, *, scored: bool) -> None:
        who = np.flatnonzero(self.counts[:, minute])
        missed = who[~self.ready[who]]
        if scored and len(missed):
            requests, seconds = waiting(self.counts, who=missed, minute=minute, wake_s=self.wake_s)
            self.cold, self.waited_s = self.cold + float(requests.sum()), self.waited_s + float(seconds.sum())
            self.starts += len(missed)
        self.used[who] += self.counts[who, minute]
        self.first[missed], self.last[who], self.ready[who] = minute, minute, True
        self.priority[who] = self.clock + self.used[who]
        gone = self._to_evict(busy=self.counts[:, minute] > 0)
        self._evict(gone, scored=scored)
        if scored:
            self.held_s += MINUTE_S * float(self.ready.sum() - len(who))

    def _to_evict(self, *, busy: NDArray[np.bool_]) -> Whole:
        """Idle models beyond the slots, least priority first."""
        over = max(0, int(self.ready.sum()) - self.slots)
        idle = np.flatnonzero(self.ready & ~busy)
        return np.asarray(idle[np.argsort(self.priority[idle], kind="stable")][:over])

    def _evict(self, gone: Whole, *, scored: bool) -> None:
        if len(gone):
            self.clock = max(self.clock, float(self.priority[gone].max()))
        if scored:
            self.close(gone)
        self.ready[gone], self.used[gone] = False, 0.0

    def close(self, gone: Whole) -> None:
        spans = self.last[gone] - self.first[gone]
        self.pods += len(gone)
        self.below += below_1(spans, service_s=self.service_s, wake_s=self.wake_s)
