"""Foretide's keeper in a simulated fleet: idle-gap hazards of each model, the cheapest tier for every minute."""

import numpy as np

from foretide.policies.warm.hold import Held, Steps, cheapest
from foretide.policies.warm.idle import AGES, Gaps, Whole, hazard, waiting_mean
from foretide.policies.warm.tiers import Tiers
from foretide.simulator.serverless.calls import Calls, waiting
from foretide.simulator.serverless.fleet import Begun, Ended

REPLAN = 1.2
"""A model is planned anew when it has so many times the idle periods of its last plan."""
MOST = 10.0
"""No model speaks for the fleet with more idle periods than this: else the busy ones would speak for the rare."""


class Learned:
    """`worth` is GPU-seconds for a second of one request's waiting. It learns while it serves, from nothing."""

    def __init__(self, models: int, *, tiers: Tiers, worth: float, ages: int = AGES) -> None:
        self._tiers, self._worth, self._age = tiers, worth, np.arange(1, ages + 1)
        self._ended, self._reached = np.zeros((models, ages)), np.zeros((models, ages))
        self._last = np.full(models, -1, dtype=np.int64)
        self._seen, self._planned_at = np.zeros(models), np.full(models, -1.0)
        self._waits = np.zeros(models)
        self._plans: Steps = np.zeros((models, ages + 1), dtype=np.int8)

    def ended(self, past: Ended) -> None:
        who, gaps = past.who, past.gaps
        inside = gaps <= len(self._age)
        self._ended[who[inside], gaps[inside] - 1] += 1
        self._reached[who] += self._age <= gaps[:, None]
        self._seen[who] += 1
        self._waits[who] += past.waits

    def held(self, now: Begun) -> Held:
        who = now.who
        self._last[who] = now.minute
        stale = who[self._seen[who] >= REPLAN * self._planned_at[who]]
        if len(stale):
            self._plan(stale, now.minute)
        return Held(self._plans[who])

    def _plan(self, who: Whole, minute: int) -> None:
        hazards = hazard(Gaps(self._ended[who], self._reached[who]), fleet=self._fleet(minute))
        waits = waiting_mean(self._waits[who], starts=self._seen[who])
        self._plans[who] = cheapest(hazards, tiers=self._tiers, waiting=waits, worth=self._worth).tiers
        self._planned_at[who] = np.maximum(self._seen[who], 1.0)

    def _fleet(self, minute: int) -> Gaps:
        """All idle periods, and as far as they have come those that go on."""
        ages = len(self._age)
        since = minute - self._last[self._last >= 0]
        going_on = np.bincount(np.minimum(since, ages), minlength=ages + 1)
        share = np.minimum(1.0, MOST / np.maximum(self._seen, 1.0))
        reached = share @ self._reached + going_on[::-1].cumsum()[::-1][1:]
        return Gaps((share @ self._ended)[None], reached[None])


class Hindsight:
    """A bound for whoever decides by a model's idle time alone: the same rule, each model's hazards those of the very
    trace that it is run on, unsmoothed.
    """

    def __init__(self, calls: Calls, *, tiers: Tiers, worth: float, ages: int = AGES) -> None:
        self._plans = np.stack([_best(row[None], tiers, worth, ages) for row in calls.counts])

    def ended(self, past: Ended) -> None:
        """It knows."""

    def held(self, now: Begun) -> Held:
        return Held(self._plans[now.who])


def _best(counts: Whole, tiers: Tiers, worth: float, ages: int) -> Steps:
    asked = np.flatnonzero(counts[0])
    if len(asked) < 2:
        return np.zeros(ages + 1, dtype=np.int8)
    known = Gaps.of([np.diff(asked)], ages=ages)
    rest = np.maximum(known.reached[:, -1:] - known.ended[:, -1:], 0.5)
    hazards = np.clip(known.ended / np.maximum(known.reached, rest), 1e-6, 1.0 - 1e-9)
    row = np.zeros(1, dtype=np.int64)
    waits = [waiting(counts, who=row, minute=int(m), wake_s=float(tiers.wake_s[0]))[0][0] for m in asked[1:]]
    plan: Steps = cheapest(hazards, tiers=tiers, waiting=np.array([np.mean(waits)]), worth=worth).tiers[0]
    return plan
