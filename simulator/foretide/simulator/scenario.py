"""A scenario: what arrives, on what it runs, what was promised, and how long a replica takes to start.

Read from one YAML file, parsed once, with every problem found in it named at once: field, value, fix.

What is NOT promised: that the file with the requests is sound; `read_trace` raises BadTrace for that.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from foretide.policies.flow import Behavior, Objective
from foretide.simulator.fleet import StartTier
from foretide.simulator.generate import WorkloadShape, generate
from foretide.simulator.profile_file import BadProfile, own_profiles, placed
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.requests import RequestTrace, read_requests
from foretide.simulator.written import (
    Problem,
    Written,
    WrittenBehavior,
    WrittenObjective,
    moment,
    problems_of,
    shown,
)

DATA = "FORETIDE_DATA"
"""Environment variable: the second place where relative paths start."""
NOT_YET = {
    "pools": "not available yet; one pool is replayed, declared by deployment and limits",
    "faults": "not available yet; remove it",
}


class BadScenario(ValueError):
    """A scenario that cannot be run; one line per problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class RequestFile:
    """Where the requests are; `start_s` and `duration_s` cut out a part, then `scale_rate` multiplies the rate."""

    path: Path
    format: str | None = None
    scale_rate: float = 1.0
    start_s: float = 0.0
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things happen, in seconds: scrapes, plans, fast passes, bins of demand, and the season's length."""

    scrape_s: float = 15.0
    plan_s: float = 60.0
    relief_s: float = 5.0
    step_s: float = 30.0
    season_s: float = 86400.0
    first_life_s: float = 600.0


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """Everything that a replay needs, typed."""

    name: str
    source: RequestFile | WorkloadShape
    deployment: Deployment
    objective: Objective
    cold_start: StartTier
    min_replicas: int
    max_replicas: int
    behavior: Behavior = field(default_factory=Behavior)
    gpus_per_replica: int = 1
    train_fraction: float = 0.0
    """The first part of the trace: history for those that learn, not replayed."""
    history_days: float = 0.0
    """Days of demand before a generated workload, known to those that look back."""
    pace: Pace = field(default_factory=Pace)
    knobs: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    """Settings to try by policy and knob; a replay takes the first of each."""

    def knob(self, policy: str, name: str) -> float | None:
        """The setting that a replay uses; None where the scenario gives none."""
        values = self.knobs.get(policy, {}).get(name)
        return values[0] if values else None


def load_scenario(path: Path) -> Scenario:
    """The scenario of a YAML file. Raises BadScenario with all problems."""
    raw = _read(path)
    early = [Problem(name, "", fix) for name, fix in NOT_YET.items() if name in raw]
    if early:
        raise BadScenario(early)
    try:
        written = _Scenario.model_validate(raw)
    except ValidationError as error:
        raise BadScenario(problems_of(error)) from error
    return written.scenario(name=path.stem, folder=path.resolve().parent)


def read_trace(scenario: Scenario, *, seed: int) -> RequestTrace:
    """The requests of a scenario. Raises BadTrace for a file that cannot be used."""
    if isinstance(scenario.source, WorkloadShape):
        return generate(scenario.source, seed=seed)
    file = scenario.source
    trace = read_requests(file.path, format=file.format)
    if file.start_s or file.duration_s is not None:
        trace = trace.between(file.start_s, file.duration_s if file.duration_s is not None else float("inf"))
    return trace if file.scale_rate == 1 else trace.scaled(file.scale_rate, seed=seed)


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadScenario([Problem("SCENARIO", str(path), f"{error.strerror}; name a scenario file")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = " ".join(str(error).split())
        raise BadScenario([Problem("SCENARIO", str(path), f"not YAML: {where}")]) from error
    if not isinstance(raw, dict):
        raise BadScenario([Problem("SCENARIO", str(path), "holds no fields; see docs/scenarios for an example")])
    return raw


_Moment = BeforeValidator(moment)
_Positive = Field(gt=0)


class _Requests(Written):
    path: Annotated[str, Field(min_length=1)]
    format: str | None = None
    scale_rate: Annotated[float, _Positive] = 1.0
    start: Annotated[float, _Moment] = 0.0
    duration: Annotated[float, _Moment, _Positive] | None = None


class _Deployment(Written):
    model: str
    gpu: str
    tp: Annotated[int, Field(ge=1, le=1024)] = 1
    max_num_seqs: Annotated[int, Field(ge=1)] = 256
    chunk: Annotated[int, Field(ge=1)] = 2048
    kv_tokens: Annotated[int, Field(ge=1)] | None = None
    speed_factor: Annotated[float, _Positive] = 1.0
    profiles: Annotated[str, Field(min_length=1)] | None = None


class _Tier(Written):
    median_s: Annotated[float, _Positive]
    sigma: Annotated[float, Field(ge=0, le=3)] = 0.3


class _ColdStart(Written):
    tiers: Annotated[dict[str, _Tier], Field(min_length=1)]


class _Limits(Written):
    min: Annotated[int, Field(ge=1, le=10000)] = 1
    max: Annotated[int, Field(ge=1, le=10000)]

    @model_validator(mode="after")
    def _in_order(self) -> "_Limits":
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}; lower min or raise max")
        return self


class _Scenario(Written):
    name: str | None = None
    requests: _Requests | None = None
    workload: dict[str, Any] | None = None
    deployment: _Deployment
    objective: WrittenObjective
    cold_start: _ColdStart
    limits: _Limits
    behavior: WrittenBehavior = WrittenBehavior()
    policies: dict[str, dict[str, Annotated[list[float], Field(min_length=1)]]] = Field(default_factory=dict)
    train_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    scrape_s: Annotated[float, _Positive] = Pace().scrape_s
    plan_s: Annotated[float, _Positive] = Pace().plan_s
    step_s: Annotated[float, _Positive] = Pace().step_s
    season_s: Annotated[float, _Positive] | None = None
    history_days: Annotated[float, Field(ge=0, le=60)] = 0.0

    @model_validator(mode="after")
    def _one_source(self) -> "_Scenario":
        if (self.requests is None) == (self.workload is None):
            raise ValueError("needs requests or workload, and only one of the two")
        if self.history_days and self.workload is None:
            raise ValueError("history_days needs a generated workload; for requests use train_fraction")
        return self

    def scenario(self, *, name: str, folder: Path) -> Scenario:
        problems: list[Problem] = []
        source = self._source(folder, problems)
        deployment = self._deployment(folder, problems)
        if problems or source is None or deployment is None:
            raise BadScenario(problems)
        day_s = source.day_s if isinstance(source, WorkloadShape) else Pace().season_s
        tier = next(iter(self.cold_start.tiers.values()))
        return Scenario(
            name=self.name or name,
            source=source,
            deployment=deployment,
            objective=self.objective.objective(),
            cold_start=StartTier(median_s=tier.median_s, sigma=tier.sigma),
            min_replicas=self.limits.min,
            max_replicas=self.limits.max,
            behavior=self.behavior.behavior(),
            gpus_per_replica=self.deployment.tp,
            train_fraction=self.train_fraction,
            history_days=self.history_days,
            pace=Pace(scrape_s=self.scrape_s, plan_s=self.plan_s, step_s=self.step_s, season_s=self.season_s or day_s),
            knobs={
                policy: {knob: tuple(values) for knob, values in settings.items()}
                for policy, settings in self.policies.items()
            },
        )

    def _source(self, folder: Path, problems: list[Problem]) -> RequestFile | WorkloadShape | None:
        if self.requests is None:
            return _shape(self.workload or {}, problems)
        path = find_data(self.requests.path, folder=folder)
        if path is None:
            places = " nor ".join(str(place) for place in data_places(folder))
            fix = f"not found in {places}; correct the path or set {DATA} to the folder that has it"
            problems.append(Problem("requests.path", self.requests.path, fix))
            return None
        written = self.requests
        return RequestFile(path, written.format, written.scale_rate, written.start, written.duration)

    def _deployment(self, folder: Path, problems: list[Problem]) -> Deployment | None:
        written = self.deployment
        try:
            own = own_profiles(placed(written.profiles, data_places(folder)))
            profile = find_profile(model=written.model, gpu=written.gpu, tp=written.tp, own=own)
        except BadProfile as error:
            problems.extend(error.problems)
            return None
        except LookupError as error:
            value = f"{written.model} on {written.gpu} with tp {written.tp}"
            problems.append(Problem("deployment", value, str(error.args[0])))
            return None
        return Deployment(
            profile=profile,
            max_num_seqs=written.max_num_seqs,
            chunk=written.chunk,
            kv_tokens=written.kv_tokens,
            speed_factor=written.speed_factor,
        )


def data_places(folder: Path) -> tuple[Path, ...]:
    """Where relative paths start: the scenario's folder, then the data folder if one is set."""
    data = os.environ.get(DATA)
    return (folder, Path(data)) if data else (folder,)


def find_data(path: str, *, folder: Path) -> Path | None:
    """The first place that has the file; None where none has."""
    found = (place / path for place in data_places(folder))
    return next((place for place in found if place.is_file()), None)


def _shape(fields: Mapping[str, Any], problems: list[Problem]) -> WorkloadShape | None:
    try:
        return WorkloadShape(**fields)
    except (TypeError, ValueError) as error:
        problems.append(Problem("workload", shown(dict(fields)), str(error)))
        return None
