"""Scores of one run: what users got, what it cost, and how often the promise held.

A request that never finished is missed, everywhere. A percentile P holds in a window when at least P % of the requests
that arrived in it were within the threshold (the nearest-rank percentile is within it).

What is NOT promised: percentiles of unfinished requests. They have no latency; their number stands beside.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretide.policies.flow import Floats, LatencyTarget, Objective

Flags = NDArray[np.bool_]


class Outcome(Protocol):
    """What became of each request: arrays of shape (n,), seconds, NaN where it did not finish."""

    @property
    def arrival_s(self) -> Floats: ...
    @property
    def ttft_s(self) -> Floats: ...
    @property
    def tpot_s(self) -> Floats: ...
    @property
    def e2e_s(self) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Life:
    """One replica that was ordered: seconds; `ready_at` is infinite when it was called off before it was ready."""

    ordered_at: float
    ready_at: float
    busy_s: float
    """Time in which it had at least one request."""

    @property
    def earned_its_start(self) -> bool:
        """Whether it was busy for as long as it took to start: a pod utility of at least 1 (papers.md 1.6)."""
        return self.busy_s >= self.ready_at - self.ordered_at


def within(*, outcome: Outcome, name: str, target: LatencyTarget) -> Flags:
    """Which requests met one threshold, (n,). A finished request with one output token has no TPOT to miss."""
    seconds: Floats = getattr(outcome, f"{name}_s")
    finished = np.isfinite(outcome.e2e_s)
    with np.errstate(invalid="ignore"):
        return np.asarray(finished & ((seconds <= target.threshold_s) | np.isnan(seconds)), dtype=np.bool_)


def met(*, outcome: Outcome, objective: Objective) -> dict[str, Flags]:
    """Which requests met each declared threshold."""
    declared = objective.declared()
    return {name: within(outcome=outcome, name=name, target=target) for name, target in declared.items()}


def jointly(flags: dict[str, Flags]) -> Flags:
    """Which requests met all of them."""
    return np.asarray(np.logical_and.reduce(list(flags.values())), dtype=np.bool_)


def attainment(*, outcome: Outcome, objective: Objective) -> dict[str, float | None]:
    """Shares of requests within each declared threshold and within all (`joint`); None where nothing is declared."""
    flags = met(outcome=outcome, objective=objective)
    shares: dict[str, float | None] = {"ttft": None, "tpot": None}
    shares |= {name: _share(flag) for name, flag in flags.items()}
    return shares | {"joint": _share(jointly(flags))}


def window_attainment(*, outcome: Outcome, objective: Objective) -> float | None:
    """Share of the windows with at least one arrival in which every declared percentile holds."""
    index = (outcome.arrival_s // objective.window_s).astype(np.int64)
    if not len(index):
        return None
    arrived = np.bincount(index)
    held = arrived > 0
    for name, target in objective.declared().items():
        kept = np.bincount(index[within(outcome=outcome, name=name, target=target)], minlength=len(arrived))
        held &= kept >= target.percentile / 100 * arrived - 1e-9
    return float(held.sum() / (arrived > 0).sum())


def percentiles(values: Floats) -> dict[str, float | None]:
    """p50, p90 and p99 of the values that exist, by linear interpolation."""
    known = values[np.isfinite(values)]
    if not len(known):
        return {"p50": None, "p90": None, "p99": None}
    quantiles = np.percentile(known, [50, 90, 99])
    return {name: float(value) for name, value in zip(("p50", "p90", "p99"), quantiles, strict=True)}


def scale_actions(desired: Sequence[int]) -> int:
    """How often the desired count changed."""
    return int(np.count_nonzero(np.diff(np.asarray(desired))))


def pod_utility_below_1(lives: Iterable[Life]) -> float | None:
    """Share of started replicas that were busy for less time than they took to start (papers.md 1.6).

    None where none was started. One that was called off before it was ready counts: it cost and gave nothing.
    """
    earned = [life.earned_its_start for life in lives]
    return 1.0 - sum(earned) / len(earned) if earned else None


def _share(flags: Flags) -> float | None:
    return float(flags.mean()) if len(flags) else None
