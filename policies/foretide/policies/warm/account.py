"""What warmth has cost one target, and what cold starts have cost its users: sums over looks, over restarts too.

    idle GPU-seconds     a replica stood ready while nobody asked, or slept: GPUs times seconds
    cold-started         the most requests seen held at once while no replica was ready, over all wakes: at least these
    pod utility          time ready while somebody asked / time to become ready, of pods that have gone

A time that was not measured is not idle; a look that comes too late counts nothing since the one before.

What is NOT promised: what happened between two looks. A pod that was never seen ready is not counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SLEEPING, READY = "sleeping", "ready"


@dataclass(frozen=True, slots=True)
class Standing:
    """One replica that is ready or asleep."""

    name: str
    started_s: float | None
    """From its creation until it was first ready; None where that is not known."""
    tier: str = READY


@dataclass(frozen=True, slots=True)
class Moment:
    """What one look saw."""

    at: float
    standing: tuple[Standing, ...]
    idle: bool | None
    """Whether nobody asked since the last look; None where that was not measured."""
    held: float
    """Requests that wait somewhere in front."""
    gpus: int = 1
    """Of one replica."""
    starts: str = "zero"
    """The tier from which a start begins now."""
    woke_s: float | None = None
    """How long a sleeper took that has woken since the last look."""

    @property
    def serves(self) -> bool:
        return any(one.tier == READY for one in self.standing)


@dataclass(frozen=True, slots=True)
class Waking:
    """How often a tier was left for ready, and how long that took in all, in seconds."""

    count: int = 0
    total_s: float = 0.0
    last_s: float = 0.0

    def with_one(self, seconds: float) -> "Waking":
        return Waking(self.count + 1, self.total_s + seconds, seconds)


@dataclass(frozen=True, slots=True)
class Earned:
    """One standing pod: how long it took to start, and how long it stood ready while it was asked for, in seconds."""

    started_s: float | None
    useful_s: float = 0.0

    @property
    def utility(self) -> float | None:
        return self.useful_s / self.started_s if self.started_s else None


@dataclass(frozen=True, slots=True)
class WarmAccount:
    """Totals since `since`; `pods`, `held` and `last` belong to one life only."""

    since: float
    idle_gpu_s: Mapping[str, float] = field(default_factory=dict)
    """Tier -> GPU-seconds."""
    cold_started: float = 0.0
    ended: int = 0
    """Pods that have gone and whose start was seen."""
    below_one: int = 0
    """Those of them with a utility below 1: they earned less time than they took to start."""
    wakes: Mapping[str, Waking] = field(default_factory=dict)
    pods: Mapping[str, Earned] = field(default_factory=dict)
    held: float = 0.0
    """The most that was held at once in the wake that is under way."""
    last: Moment | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What one look added that is told once: wakes as (tier, seconds), and utilities of pods that have gone."""

    wakes: tuple[tuple[str, float], ...] = ()
    utilities: tuple[float, ...] = ()


def seen(account: WarmAccount, moment: Moment, *, longest_s: float) -> tuple[WarmAccount, News]:
    """The account after one more look, at most `longest_s` after the last one for the time between to count."""
    last = account.last
    span = moment.at - last.at if last is not None else 0.0
    watched = last is not None and 0.0 < span <= longest_s
    account, utilities = _without_gone(account, moment)
    account, started = _with_new(account, moment)
    woken = (*started, *([(SLEEPING, moment.woke_s)] if moment.woke_s is not None else []))
    if watched and last is not None:
        account = _passed(account, last, moment, span)
    account = _held(replace(account, wakes=_counted(account.wakes, woken)), moment)
    return replace(account, last=moment), News(woken, utilities)


def held_now(account: WarmAccount, held: float) -> WarmAccount:
    """The account after a look at the queue alone; only while nothing served at the last whole look."""
    if account.last is None or account.last.serves:
        return account
    return replace(account, held=max(account.held, held))


def _passed(account: WarmAccount, last: Moment, moment: Moment, span: float) -> WarmAccount:
    """What the time since the last look adds for those who stood through all of it."""
    through = {one.name for one in last.standing}
    idle, pods = dict(account.idle_gpu_s), dict(account.pods)
    for one in moment.standing:
        if one.name not in through:
            continue
        if moment.idle or one.tier == SLEEPING:
            idle[one.tier] = idle.get(one.tier, 0.0) + span * moment.gpus
        elif one.name in pods:
            pods[one.name] = replace(pods[one.name], useful_s=pods[one.name].useful_s + span)
    return replace(account, idle_gpu_s=idle, pods=pods)


def _without_gone(account: WarmAccount, moment: Moment) -> tuple[WarmAccount, tuple[float, ...]]:
    present = {one.name for one in moment.standing}
    gone = [earned.utility for name, earned in account.pods.items() if name not in present]
    known = tuple(utility for utility in gone if utility is not None)
    kept = {name: earned for name, earned in account.pods.items() if name in present}
    below = sum(utility < 1.0 for utility in known)
    return replace(account, pods=kept, ended=account.ended + len(known), below_one=account.below_one + below), known


def _with_new(account: WarmAccount, moment: Moment) -> tuple[WarmAccount, tuple[tuple[str, float], ...]]:
    """Pods that were not there; those of the first look started in a life of which nothing is known."""
    new = [one for one in moment.standing if one.name not in account.pods]
    known = account.last is not None
    pods = {**account.pods, **{one.name: Earned(one.started_s if known else None) for one in new}}
    starts = account.last.starts if account.last is not None else moment.starts
    wakes = tuple((starts, one.started_s) for one in new if known and one.started_s is not None)
    return replace(account, pods=pods), wakes


def _counted(wakes: Mapping[str, Waking], new: tuple[tuple[str, float], ...]) -> Mapping[str, Waking]:
    counted = dict(wakes)
    for tier, seconds in new:
        counted[tier] = counted.get(tier, Waking()).with_one(seconds)
    return counted


def _held(account: WarmAccount, moment: Moment) -> WarmAccount:
    if not moment.serves:
        return replace(account, held=max(account.held, moment.held))
    return replace(account, cold_started=account.cold_started + account.held, held=0.0)
