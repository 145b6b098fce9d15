"""The words of Foretide, in the order in which they arise between a metric and an order.

    Reading -> DemandHistory -> DemandForecast -> ServiceModel -> Proposal -> guardrails -> Verdict -> Order

Every word is a frozen value. Absence is part of a value (`None`, a gap, a `Trust`), never zero and never an exception.
Times are seconds of one clock that the caller owns; nothing here reads it.

What is NOT promised: that arrays inside a value are copied. They are made read-only instead.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

import numpy as np

from foretide.policies.declared import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Approval,
    Behavior,
    Costs,
    LatencyTarget,
    Mode,
    Objective,
    Pending,
    Rest,
    ScalingPolicy,
    ScalingRules,
    ScalingSelect,
)
from foretide.policies.forecast import DemandForecast, ForecastScore, Reliability
from foretide.policies.remembered import Memory, Recommendation, ScaleEvent
from foretide.policies.service import CapacityTable, ColdStart, Floats, ServiceModel, WorkPerUnit

__all__ = [
    "DEFAULT_SCALE_DOWN",
    "DEFAULT_SCALE_UP",
    "INDICATORS",
    "OUTPUT_TOKENS",
    "PROMPT_TOKENS",
    "REQUESTS",
    "Act",
    "Approval",
    "Backlog",
    "Behavior",
    "CapacityTable",
    "ColdStart",
    "Costs",
    "Decision",
    "DemandForecast",
    "DemandHistory",
    "Evidence",
    "Floats",
    "ForecastScore",
    "Forecaster",
    "Guardrail",
    "Hold",
    "LatencyTarget",
    "Memory",
    "Mode",
    "Objective",
    "Order",
    "Pending",
    "Pool",
    "Proposal",
    "Reading",
    "Reason",
    "ReasonCode",
    "Recommendation",
    "Reliability",
    "Rest",
    "Rhythm",
    "Risk",
    "ScaleEvent",
    "ScalingPolicy",
    "ScalingRules",
    "ScalingSelect",
    "ServiceModel",
    "Trust",
    "Verdict",
    "WorkPerUnit",
    "frozen",
]

REQUESTS, PROMPT_TOKENS, OUTPUT_TOKENS = 0, 1, 2
"""Columns of every demand array: requests/s, prompt tokens/s, output tokens/s. The order is part of the schema."""
INDICATORS = ("requests", "prompt_tokens", "output_tokens")


def frozen(values: Floats) -> Floats:
    """The same numbers as a contiguous read-only float64 array."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array is values or array.base is not None:
        array = array.copy()
    array.setflags(write=False)
    return array


class Trust(StrEnum):
    """How far a measurement may be relied on. Only FRESH ever allows capacity to be removed."""

    FRESH = "Fresh"
    PARTIAL = "Partial"
    """Some of the targets answered: enough to add capacity, never to remove it."""
    STALE = "Stale"
    ABSENT = "Absent"
    INVALID = "Invalid"
    """NaN, infinite, negative, from the future, or beyond what the hardware can do."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One number as a metric source gave it. `value` is None unless trust is FRESH or PARTIAL."""

    at: float
    value: float | None
    trust: Trust
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class DemandHistory:
    """What users asked for, on an even grid. A gap is a row of NaN; confirmed idleness is a row of zeros.

    `values` has shape (T, 3), per second, columns as in `INDICATORS`; row i covers
    [start + i * step, start + (i + 1) * step).
    """

    start: float
    step: float
    values: Floats
    trust: Trust
    why: str = ""
    censored: Floats | None = None
    """(T,) 1 where users may have asked for more than the row says, else 0; None is 0 everywhere."""
    hidden: str = ""
    """Why rows are censored, or what could not have been noticed, in words."""

    @property
    def end(self) -> float:
        return self.start + self.step * len(self.values)

    @property
    def flags(self) -> Floats:
        """`censored`, with zeros for None."""
        return np.zeros(len(self.values)) if self.censored is None else self.censored

    def is_censored(self, window: float) -> bool:
        """Whether any row of the last `window` seconds is."""
        return bool(self.flags[-max(1, round(window / self.step)) :].any())

    def first_rows(self, count: int) -> "DemandHistory":
        """The history as it was when it had `count` rows."""
        flags = None if self.censored is None else frozen(self.censored[:count])
        return replace(self, values=frozen(self.values[:count]), censored=flags)

    def coverage(self, window: float) -> float:
        """Share of the last `window` seconds that was measured, in [0, 1]."""
        rows = max(1, round(window / self.step))
        known = int(np.isfinite(self.values[-rows:, REQUESTS]).sum())
        return known / rows

    def coarser(self, step: float, *, needed: float = 0.75) -> "DemandHistory":
        """The same demand in bins of `step` seconds, a whole multiple of this step, aligned to multiples of it.

        A bin is the mean of its measured rows, and a gap where less than the share `needed` of them was measured: a
        gap never counts as zero. Bins that are only partly inside are left out. Raises ValueError for another step.
        """
        ratio = round(step / self.step)
        if ratio < 1 or abs(ratio * self.step - step) > 1e-6 * self.step:
            raise ValueError(f"step: {step:g} s: give a whole multiple of the history's own {self.step:g} s")
        skipped = -round(self.start / self.step) % ratio
        bins = max(0, (len(self.values) - skipped) // ratio)
        rows = self.values[skipped : skipped + bins * ratio].reshape(bins, ratio, 3)
        known = np.isfinite(rows).all(axis=2, keepdims=True)
        count = known.sum(axis=1)
        means = np.where(known, rows, 0.0).sum(axis=1) / np.maximum(1, count)
        enough = np.where(count >= max(1.0, needed * ratio - 1e-9), means, np.nan)
        flags = self.flags[skipped : skipped + bins * ratio].reshape(bins, ratio).max(axis=1)
        coarse = replace(self, start=self.start + skipped * self.step, step=ratio * self.step, values=frozen(enough))
        return replace(coarse, censored=None if self.censored is None else frozen(flags))


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool as found at `version`: what is declared, and what is there."""

    name: str
    min_replicas: int
    max_replicas: int
    desired: int
    """The target's spec.replicas."""
    ready: int
    starting: int = 0
    """Ordered, can be scheduled, not ready yet."""
    unschedulable: int = 0
    """The scheduler has no room for them."""
    gpus_per_replica: int = 1
    version: str = ""
    asleep: int = 0
    """Replicas whose engine sleeps, or is being woken; they are neither ready nor starting."""
    lost: int = 0
    """Replicas that were to wake and did not; they serve nobody any more."""
    conflict: str = ""
    """Another writer of the same replicas, in words; empty when we are the only one."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the engines right now, over all ready replicas; None where it could not be read."""

    at: float
    waiting: float | None
    running: float | None
    trust: Trust


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often we plan and how much of the past must have been watched, in seconds."""

    plan_s: float = 60.0
    first_life_s: float = 600.0
    """After a start nothing is lowered before demand was watched for this long."""
    coverage: float = 0.9
    """Share of that window which must be measured before anything is lowered."""
    regret_s: float = 1800.0
    """A lowering that is taken back within this time makes the next one wait twice as long (regret.py); 0: never."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that a decision may depend on."""

    now: float
    mode: Mode
    objective: Objective
    behavior: Behavior
    pool: Pool
    history: DemandHistory
    forecast: DemandForecast | None
    backlog: Backlog | None
    service: ServiceModel
    cold_start: ColdStart
    memory: Memory
    rhythm: Rhythm = field(default_factory=Rhythm)
    rest: Rest | None = None
    """Given, the target may go to zero."""
    pending: Pending | None = None
    approval: Approval | None = None


class ReasonCode(StrEnum):
    """Why, in one word. These are read from outside (status, events, metrics labels): never rename one."""

    DEMAND_RISES = "DemandRises"
    DEMAND_FALLS = "DemandFalls"
    BACKLOG = "Backlog"
    WITHIN_BOUNDS = "WithinBounds"
    """The live count is outside min/max and is brought back."""
    STEADY = "Steady"
    RECOMMEND_ONLY = "RecommendOnly"
    RAISE_ONLY = "RaiseOnly"
    PAUSED = "Paused"
    CONFLICT = "Conflict"
    BLIND = "Blind"
    FIRST_LIFE = "FirstLife"
    UNSCHEDULABLE = "Unschedulable"
    STABILIZING = "Stabilizing"
    RATE_LIMITED = "RateLimited"
    AT_MAXIMUM = "AtMaximum"
    AT_MINIMUM = "AtMinimum"
    INFEASIBLE = "Infeasible"
    NO_FORECAST = "NoForecast"
    GLOBAL_HOLD = "GlobalHold"
    KEPT_WARM = "KeptWarm"
    """Nobody asks, and a replica stays ready all the same."""
    IDLE = "Idle"
    """Nobody asks, and zero replicas cost least."""
    ASLEEP = "Asleep"
    """Nobody asks, and a replica whose engine sleeps costs least."""
    WOKEN = "Woken"
    """From zero, for requests that are there or expected."""
    PAIR_ORDER = "PairOrder"
    """One pool of a pair waits for the other."""
    AWAITS_APPROVAL = "AwaitsApproval"
    APPROVED = "Approved"
    APPROVAL_REFUSED = "ApprovalRefused"


@dataclass(frozen=True, slots=True)
class Reason:
    code: ReasonCode
    text: str


@dataclass(frozen=True, slots=True)
class Risk:
    """P(a declared percentile breaks in a window of the planning horizon) with this many replicas."""

    replicas: int
    probability: float
    hourly_cost: float | None = None
    """Expected, of the pool's GPUs and of missed requests, in the currency of the objective's costs; None without."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The count that the forecast and the service model ask for, before any guardrail."""

    replicas: int
    risks: tuple[Risk, ...]
    """Ascending in replicas: one fewer (where there is one), the proposed count, one more."""
    binding: str
    """What decided it: an objective's name, `minReplicas`, `maxReplicas`, `backlog` or `nothing`."""
    horizon_s: float
    peak_work: tuple[float, float]
    """Median and 95 % quantile of the paths' peak work/s over the horizon."""
    reason: Reason
    tier: str = ""
    """How warm a target that nobody asks for is to be; empty where requests decide."""

    def risk_at(self, replicas: int) -> float | None:
        return next((risk.probability for risk in self.risks if risk.replicas == replicas), None)

    def hourly_cost_at(self, replicas: int) -> float | None:
        return next((risk.hourly_cost for risk in self.risks if risk.replicas == replicas), None)


@dataclass(frozen=True, slots=True)
class Order:
    """Write `after` to the pool, if it is still at `version`."""

    pool: str
    before: int
    after: int
    version: str


@dataclass(frozen=True, slots=True)
class Act:
    order: Order
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """No action. `replicas` is the live count that stays."""

    replicas: int
    reasons: tuple[Reason, ...]


Verdict = Act | Hold
Guardrail = Callable[[Evidence, Verdict], Verdict]


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, what would have been asked for without guardrails, and what to remember."""

    at: float
    verdict: Verdict
    proposal: Proposal | None
    """None when nothing could be proposed (blind, no forecast)."""
    desired: int
    """The count we stand for: the order's, or the recommendation in mode Recommend, or the live count."""
    memory: Memory
    pending: Pending | None = None
    """What waits for approval."""
    tier: str = ""
    """How warm the target is to be: `ready` wakes sleepers, `sleeping` lets one sleep; empty leaves it as it is."""

    @property
    def reason(self) -> Reason:
        """The first reason: the one that a table shows."""
        return self.verdict.reasons[0]


class Forecaster(Protocol):
    """History in, joint paths out. Keeps its own scores between calls; None where even a fallback is impossible."""

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        """`horizon` steps of the history's grid, `paths` joint paths, deterministic for a seed and a call sequence."""
        ...
