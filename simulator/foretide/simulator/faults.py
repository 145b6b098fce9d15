"""What goes wrong in a run, as a scenario scripts it; all times are seconds on one clock, the trace's or a run's.

A slowdown and a slow start are silent: no view tells of them, only what they do to latencies and to starts. Whom a
partial fault hits is drawn by seed, fault and replica name, so that it hits the same replicas whatever the policy.

What is NOT promised: a fault that undoes anything. A slow replica goes on serving, a stock that shrinks evicts nobody.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import ClassVar, TypeVar

import numpy as np

_FAULTS, _CRASHES = 0xFA17, 0xC4A5
"""Salts: keep these draws apart from those of cold starts."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong from `at` on for `duration_s`."""

    kind: ClassVar[str]
    """What a scenario calls it."""
    at: float
    duration_s: float = inf

    @property
    def until(self) -> float:
        return self.at + self.duration_s

    def holds(self, now: float) -> bool:
        return self.at <= now < self.until


@dataclass(frozen=True, slots=True)
class Slowdown(Fault):
    """Every step of the hit replicas takes `factor` times as long; nobody is told."""

    kind = "slowdown"
    factor: float = 1.3
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class SlowStart(Fault):
    """A start that begins meanwhile takes `factor` times as long: a registry in trouble."""

    kind = "slow-start"
    factor: float = 3.0


@dataclass(frozen=True, slots=True)
class Dropout(Fault):
    """The hit replicas do not answer scrapes."""

    kind = "dropout"
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class StockOut(Fault):
    """No GPU beyond the first `gpus` can be had; replicas that have theirs keep them."""

    kind = "stock-out"
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Crash(Fault):
    """The oldest `replicas` that are ready at `at` die at once; it has no duration."""

    kind = "crash"
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Failures:
    """Replicas that die by themselves, and what their clients do then."""

    per_replica_hour: float = 0.0
    """Hazard of a replica that is ready; constant, so a replica of any age is as likely to die as a new one."""
    retry_s: float | None = None
    """After this many seconds a client sends a request again whose replica died; its TTFT goes on from the first time.
    None: such a request is lost, and counts as missed."""

    def life_s(self, *, number: int, seed: int) -> float:
        """How long the replica of this number lives once it is ready; infinite without a hazard."""
        if self.per_replica_hour <= 0:
            return inf
        drawn = float(np.random.default_rng((seed, _CRASHES, number)).standard_exponential())
        return 3600.0 * drawn / self.per_replica_hour


NEVER = Failures()

Kind = TypeVar("Kind", bound=Fault)


def standing(faults: Iterable[Fault], kind: type[Kind], now: float) -> Iterator[tuple[int, Kind]]:
    """Those of one kind that hold now, each with its place in the list."""
    return ((index, fault) for index, fault in enumerate(faults) if isinstance(fault, kind) and fault.holds(now))


def shifted(faults: Iterable[Fault], by: float) -> tuple[Fault, ...]:
    """The same faults on a clock that begins `by` seconds later; what is over by then is left out."""
    return tuple(
        replace(fault, at=max(fault.at - by, 0.0), duration_s=fault.until - max(fault.at, by))
        for fault in faults
        if (fault.at >= by if isinstance(fault, Crash) else fault.until > by)
    )


def slowed(faults: Iterable[Fault], *, now: float, name: str, seed: int) -> float:
    """How many times longer this replica's steps take now."""
    factor = 1.0
    for index, fault in standing(faults, Slowdown, now):
        factor *= fault.factor if _hit(fault.share, index, name, seed) else 1.0
    return factor


def start_factor(faults: Iterable[Fault], *, now: float) -> float:
    """How many times longer a start takes that begins now."""
    factor = 1.0
    for _, fault in standing(faults, SlowStart, now):
        factor *= fault.factor
    return factor


def is_silent(faults: Iterable[Fault], *, now: float, name: str, seed: int) -> bool:
    """Whether a scrape of this replica fails now."""
    return any(_hit(fault.share, index, name, seed) for index, fault in standing(faults, Dropout, now))


def _hit(share: float, index: int, name: str, seed: int) -> bool:
    if share >= 1.0:
        return True
    return bool(np.random.default_rng((seed, _FAULTS, index, *name.encode())).random() < share)
