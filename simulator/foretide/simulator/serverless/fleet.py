"""A fleet of models through a trace, each kept as warm as a keeper says, and what came of it.

A model that is asked for in a minute serves all of it. In an idle period the keeper's plan, made when it began, says
the tier of every minute; a request that finds another tier than the warmest waits for a start. Every start occupies
the GPUs for as long as it takes, whether a request or the plan set it off.

What is NOT promised: more than one replica of a model, starts that slow each other down, and a start that is half done:
whoever comes in a minute that is planned for a colder tier waits for all of it.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from foretide.policies.service import Floats
from foretide.policies.warm.hold import MINUTE_S, Held, Steps
from foretide.policies.warm.idle import Whole
from foretide.policies.warm.tiers import Tiers
from foretide.simulator.serverless.calls import Calls, waiting


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """Idle periods of these models that a request has ended, (N,) each."""

    who: Whole
    gaps: Whole
    """Minutes since the last request; 1 where the minute before had one, too."""
    waits: Floats
    """How many requests a start from zero would have made wait."""


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """Idle periods that may begin after this minute, in which these models were asked for."""

    minute: int
    who: Whole


class Keeper(Protocol):
    """Decides how warm models are kept. It is told what has been, never what comes."""

    def ended(self, past: Ended) -> None: ...

    def held(self, now: Begun) -> Held:
        """A plan for each of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """Sums over the scored minutes."""

    requests: int
    cold_requests: float
    waited_s: float
    cold_starts: int
    starts: int
    """Of both kinds: set off by requests and by plans."""
    serving_s: float
    """GPU-seconds of the minutes that had requests: the same for every keeper."""
    held_s: float
    """GPU-seconds held without requests, tiers at their price."""
    starting_s: float
    pods: int
    pods_below_1: int
    """Those whose useful time was shorter than a start from zero (utility ratio below 1)."""

    @property
    def gpu_s(self) -> float:
        """All that was paid for."""
        return self.serving_s + self.held_s + self.starting_s


def below_1(spans: Whole, *, service_s: float, wake_s: float) -> int:
    """Of pods with so many minutes from first request to last, how many were useful for less than a start."""
    return int((spans * MINUTE_S + service_s < wake_s).sum())


def run(calls: Calls, *, keeper: Keeper, tiers: Tiers, scored_from: int, service_s: float = 1.0) -> Served:
    """The whole trace; sums are of the minutes from `scored_from` on. `service_s` is what one request takes."""
    return _Fleet(calls, tiers, scored_from, service_s).through(keeper)


class _Fleet:
    def __init__(self, calls: Calls, tiers: Tiers, scored_from: int, service_s: float) -> None:
        models, minutes = calls.counts.shape
        self.counts, self.tiers, self.scored_from, self.service_s = calls.counts, tiers, scored_from, service_s
        self.minutes = minutes
        self.last = np.full(models, -1, dtype=np.int64)
        """Minute of the last request; -1 before the first."""
        self.plans: Held | None = None
        self.first_use = np.zeros(models, dtype=np.int64)
        self.sums = dict.fromkeys(("requests", "cold", "waited", "cold_starts", "starts", "held", "starting"), 0.0)
        self.pods, self.pods_below = 0, 0

    def through(self, keeper: Keeper) -> Served:
        for minute in range(self.minutes):
            who = np.flatnonzero(self.counts[:, minute])
            if len(who):
                self._minute(minute, who, keeper)
        known = np.flatnonzero(self.last >= 0)
        self._charge(known, self.minutes - self.last[known], self.minutes, over=True)
        return self._served()

    def _minute(self, minute: int, who: Whole, keeper: Keeper) -> None:
        new = self.last[who] < 0
        gaps = np.where(new, 0, minute - self.last[who])
        waits = self._meet(minute, who, gaps)
        self._charge(who[~new], gaps[~new], minute)
        keeper.ended(Ended(who[~new], gaps[~new], waits[~new]))
        self.last[who] = minute
        self._remember(who, keeper.held(Begun(minute, who)))

    def _meet(self, minute: int, who: Whole, gaps: Whole) -> Floats:
        """Requests meet what was planned; how many a start from zero would make wait."""
        found = np.zeros(len(who), dtype=np.int64)
        if self.plans is not None:
            found = np.where(gaps > 0, Held(self.plans.tiers[who]).at(np.maximum(gaps, 1)), 0)
        wake = self.tiers.wake_s
        scored = minute >= self.scored_from
        for tier in range(len(wake) - 1):
            here = who[found == tier]
            if len(here) and scored:
                requests, seconds = waiting(self.counts, who=here, minute=minute, wake_s=float(wake[tier]))
                self._add(cold=requests.sum(), waited=seconds.sum(), cold_starts=len(here), starts=len(here))
                self._add(starting=len(here) * wake[tier])
        self.first_use[who[gaps == 0]] = minute
        if scored:
            self._add(requests=self.counts[who, minute].sum())
        return waiting(self.counts, who=who, minute=minute, wake_s=float(wake[0]))[0]

    def _charge(self, who: Whole, gaps: Whole, minute: int, *, over: bool = False) -> None:
        """What was held, and started by plan, in idle periods that this minute ends, or the trace where it is over; and
        which pods came and went.
        """
        if self.plans is None:
            return
        held = self.plans.tiers[who]
        ages = held.shape[1]
        age, wake = np.arange(1, ages + 1), self.tiers.wake_s
        before = np.concatenate([np.full((len(who), 1), len(wake) - 1, dtype=held.dtype), held[:, :-1]], axis=1)
        passed = age <= gaps[:, None] - over
        self._pods(who, held=np.where(passed, held, -1), before=before, minute=minute, over=over)
        scored = passed & ((minute - gaps)[:, None] + age >= self.scored_from)
        risen = scored & (held > before)
        self._add(starts=risen.sum(), starting=(wake[before] - wake[held])[risen].sum())
        beyond = np.maximum(0, np.minimum(gaps - 1 - ages, minute - self.scored_from))
        price = self.tiers.price
        idle = scored & (age < gaps[:, None])
        self._add(held=MINUTE_S * ((price[held] * idle).sum() + (price[held[:, -1]] * beyond).sum()))

    def _pods(self, who: Whole, *, held: Steps, before: Steps, minute: int, over: bool) -> None:
        """A pod's useful time goes from its first request to the end of its last; one that none came to has none."""
        stopped = (held == 0).any(axis=1)
        planned = ((held > 0) & (before == 0)).sum(axis=1)
        unused = planned - (stopped & (_reached(held) > 0) & (not over))
        if minute >= self.scored_from:
            self.pods += int(unused.sum())
            self.pods_below += int(unused.sum())
        ended = who[stopped | over]
        self._close(ended)
        self.first_use[ended] = minute

    def _close(self, ended: Whole) -> None:
        counted = ended[self.last[ended] >= self.scored_from]
        spans = self.last[counted] - self.first_use[counted]
        self.pods += len(counted)
        self.pods_below += below_1(spans, service_s=self.service_s, wake_s=float(self.tiers.wake_s[0]))

    def _add(self, **more: float) -> None:
        for name, value in more.items():
            self.sums[name] += float(value)

    def _remember(self, who: Whole, plans: Held) -> None:
        if self.plans is None:
            self.plans = Held(np.zeros((len(self.counts), plans.tiers.shape[1]), dtype=np.int8))
        self.plans.tiers[who] = plans.tiers

    def _served(self) -> Served:
        serving = MINUTE_S * float((self.counts[:, self.scored_from :] > 0).sum())
        sums = self.sums
        return Served(
            requests=int(sums["requests"]),
            cold_requests=sums["cold"],
            waited_s=sums["waited"],
            cold_starts=int(sums["cold_starts"]),
            starts=int(sums["starts"]),
            serving_s=serving,
            held_s=sums["held"],
            starting_s=sums["starting"],
            pods=self.pods,
            pods_below_1=self.pods_below,
        )


def _reached(held: Steps) -> Steps:
    """(N,) the tier in the last age that came to pass; -1 stands for those that did not."""
    passed = (held >= 0).sum(axis=1)
    return np.asarray(held[np.arange(len(held)), np.maximum(passed - 1, 0)])
