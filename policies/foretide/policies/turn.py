"""One turn of one target, the same in the operator, in replay and in the simulator: sight in, decision out."""

from dataclasses import dataclass
from math import ceil
from zlib import crc32

from foretide.policies.ahead import planning_horizon
from foretide.policies.decide import plan, relieve
from foretide.policies.declared import ScheduledEvent
from foretide.policies.flow import (
    Approval,
    Backlog,
    Behavior,
    ColdStart,
    Decision,
    DemandForecast,
    DemandHistory,
    Evidence,
    Forecaster,
    Memory,
    Mode,
    Objective,
    Pending,
    Pool,
    Rest,
    Rhythm,
    ServiceModel,
)


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """What the owner declared about one target."""

    name: str
    mode: Mode
    objective: Objective
    behavior: Behavior
    schedule: tuple[ScheduledEvent, ...] = ()
    time_zone: str = "UTC"
    """IANA name of the clock that days of demand follow."""
    rest: Rest | None = None
    """Given, the target may go to zero."""
    approval: Approval | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What one look at the world gave."""

    now: float
    pool: Pool
    history: DemandHistory
    backlog: Backlog | None
    service: ServiceModel
    cold_start: ColdStart
    pending: Pending | None = None
    """What was last published for approval."""
    usual: DemandHistory | None = None
    """The history for the forecaster, where it is not the measured one (overflow.py)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a plan asks its forecaster: how many steps of the history's grid, and which noise."""

    horizon: int
    seed: int


def question_of(*, spec: TargetSpec, sight: Sight, memory: Memory, rhythm: Rhythm) -> Question:
    """What `plan_turn` will ask with the same arguments."""
    blind = evidence_of(spec, sight, memory, rhythm, None)
    return Question(ceil(planning_horizon(blind) / sight.history.step), _seed(spec.name, sight))


def plan_turn(
    *, spec: TargetSpec, sight: Sight, memory: Memory, forecaster: Forecaster, rhythm: Rhythm, paths: int = 512
) -> tuple[Evidence, Decision]:
    """Forecasts over the planning horizon and plans. Deterministic in its arguments and the forecaster's past."""
    asked = question_of(spec=spec, sight=sight, memory=memory, rhythm=rhythm)
    history = sight.usual or sight.history
    forecast = forecaster.forecast(history=history, horizon=asked.horizon, paths=paths, seed=asked.seed)
    evidence = evidence_of(spec, sight, memory, rhythm, forecast)
    return evidence, plan(evidence)


def relief_turn(
    *, spec: TargetSpec, sight: Sight, memory: Memory, rhythm: Rhythm, forecast: DemandForecast | None = None
) -> tuple[Evidence, Decision]:
    """The fast pass on the same sight; `forecast` is the standing one, for the record."""
    evidence = evidence_of(spec, sight, memory, rhythm, forecast)
    return evidence, relieve(evidence)


def evidence_of(
    spec: TargetSpec, sight: Sight, memory: Memory, rhythm: Rhythm, forecast: DemandForecast | None
) -> Evidence:
    """What a decision on one pool depends on."""
    return Evidence(
        now=sight.now,
        mode=spec.mode,
        objective=spec.objective,
        behavior=spec.behavior,
        pool=sight.pool,
        history=sight.history,
        forecast=forecast,
        backlog=sight.backlog,
        service=sight.service,
        cold_start=sight.cold_start,
        memory=memory,
        rhythm=rhythm,
        rest=spec.rest,
        pending=sight.pending,
        approval=spec.approval,
    )


def _seed(name: str, sight: Sight) -> int:
    """The same target at the same bin draws the same noise, in every process."""
    return crc32(f"{name}@{round(sight.history.end / sight.history.step)}".encode())
