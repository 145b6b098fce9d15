"""A scenario: what arrives, on what it runs, what was promised, and how long a replica takes to start.

Read from one YAML file, parsed once, with every problem found in it named at once: field, value, fix.

What is NOT promised: that the file with the requests is sound; `read_trace` raises BadTrace for that.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from foretide.policies.flow import Behavior, Objective
from foretide.simulator.conditions import QUIET, Conditions
from foretide.simulator.generate import WorkloadShape, generate
from foretide.simulator.power import PowerCap, capped
from foretide.simulator.profile_file import BadProfile, own_profiles, placed
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.requests import BLOCK_TOKENS, RequestTrace, read_requests
from foretide.simulator.routing import DEFAULT
from foretide.simulator.shape import read_shape
from foretide.simulator.starts import StartTier
from foretide.simulator.stress import Stress, stressed
from foretide.simulator.written import Problem, complaint, problems_of
from foretide.simulator.written_conditions import conditions_of
from foretide.simulator.written_scenario import WrittenScenario

DATA = "FORETIDE_DATA"
"""Environment variable: the second place where relative paths start."""
TWO_POOLS = "try two pools of fixed size with `foretide simulate --layout disaggregated`"
NOT_YET = {
    "pools": f"not available yet; one pool is replayed, declared by deployment and limits; {TWO_POOLS}",
    "deployment.layout": f"not available yet; a replay has no pools of prefill and decode; {TWO_POOLS}",
}
"""What a scenario may be expected to have, by its field."""


LOOKBACK_S = 300.0
"""Prometheus' default `--query.lookback-delta`."""


class BadScenario(ValueError):
    """A scenario that cannot be run; one line per problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class RequestFile:
    """Where the requests are; `start_s` and `duration_s` cut out a part, then `scale_rate` multiplies the rate.

    `jitter_s` moves each request later by up to so much before that, where the file's clock ticks coarsely.
    """

    path: Path
    format: str | None = None
    scale_rate: float = 1.0
    start_s: float = 0.0
    duration_s: float | None = None
    jitter_s: float = 0.0
    block_tokens: int = BLOCK_TOKENS
    """Tokens of a block of the file's hash ids, where it has any."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things happen, in seconds: scrapes, plans, fast passes, bins of demand, and the season's length."""

    scrape_s: float = 15.0
    plan_s: float = 60.0
    relief_s: float = 5.0
    step_s: float = 30.0
    season_s: float = 86400.0
    first_life_s: float = 600.0
    lookback_s: float = 0.0
    """How long the last sample of a series that no longer comes stays visible; 0 where it is marked stale at once."""


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
    conditions: Conditions = QUIET
    """Times on the trace's clock."""
    routing: str = DEFAULT
    """One of routing.NAMES."""
    power_cap: PowerCap | None = None
    """Its slowdown is in `deployment` already."""
    stress: tuple[Stress, ...] = ()
    """What is done to the trace; times count from its start, the training part included."""

    def knob(self, policy: str, name: str) -> float | None:
        """The setting that a replay uses; None where the scenario gives none."""
        values = self.knobs.get(policy, {}).get(name)
        return values[0] if values else None


def load_scenario(path: Path) -> Scenario:
    """The scenario of a YAML file. Raises BadScenario with all problems."""
    raw = _read(path)
    early = [Problem(name, "", fix) for name, fix in NOT_YET.items() if _holds(raw, name)]
    if early:
        raise BadScenario(early)
    try:
        written = WrittenScenario.model_validate(raw)
    except ValidationError as error:
        raise BadScenario(problems_of(error, model=WrittenScenario)) from error
    return _assembled(written, name=path.stem, folder=path.resolve().parent)


def read_trace(scenario: Scenario, *, seed: int) -> RequestTrace:
    """The requests of a scenario. Raises BadTrace for a file that cannot be used."""
    source = scenario.source
    found = generate(source, seed=seed) if isinstance(source, WorkloadShape) else read_recorded(source)
    return played(scenario, found, seed=seed)


def read_recorded(file: RequestFile) -> RequestTrace:
    """The part of a file that a scenario plays, as recorded. Raises BadTrace."""
    trace = read_requests(file.path, format=file.format, block_tokens=file.block_tokens)
    if file.start_s or file.duration_s is not None:
        return trace.between(file.start_s, file.duration_s if file.duration_s is not None else float("inf"))
    return trace


def played(scenario: Scenario, trace: RequestTrace, *, seed: int) -> RequestTrace:
    """A trace as the scenario plays it: jittered and at another rate if it was recorded, then under stress."""
    file = scenario.source
    if isinstance(file, RequestFile) and file.jitter_s:
        trace = trace.jittered(file.jitter_s, seed=seed)
    if isinstance(file, RequestFile) and file.scale_rate != 1:
        trace = trace.scaled(file.scale_rate, seed=seed)
    return stressed(trace, scenario.stress, seed=seed)


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadScenario([Problem("SCENARIO", str(path), f"{error.strerror}; name a scenario file")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = " ".join(str(error).replace(' in "<unicode string>",', "").split())
        raise BadScenario([Problem("SCENARIO", str(path), f"not YAML: {where}")]) from error
    if not isinstance(raw, dict):
        raise BadScenario([Problem("SCENARIO", str(path), "holds no fields; see docs/scenarios for an example")])
    return raw


def _holds(raw: Mapping[str, Any], path: str) -> bool:
    name, _, below = path.partition(".")
    inner = raw.get(name)
    return name in raw if not below else isinstance(inner, Mapping) and _holds(inner, below)


def _assembled(written: WrittenScenario, *, name: str, folder: Path) -> Scenario:
    """The typed scenario. Raises BadScenario with all that is wrong beyond single fields."""
    problems: list[Problem] = []
    source, deployment = _source(written, folder, problems), _deployment(written, folder, problems)
    cap = _cap(written, deployment, problems)
    _refuse_no_room(written, problems)
    if problems or source is None or deployment is None:
        raise BadScenario(problems)
    return Scenario(
        name=written.name or name,
        source=source,
        deployment=capped(deployment, cap),
        objective=written.objective.objective(),
        cold_start=written.cold_start.start_tiers()[0],
        min_replicas=written.limits.min,
        max_replicas=written.limits.max,
        behavior=written.behavior.behavior(),
        gpus_per_replica=written.deployment.tp,
        train_fraction=written.train_fraction,
        history_days=written.history_days,
        pace=_pace(written, source),
        knobs=written.knobs(),
        conditions=conditions_of(
            cold_start=written.cold_start, nodes=written.nodes, failures=written.failures, faults=written.faults
        ),
        power_cap=cap,
        stress=tuple(written.stress),
        routing=written.routing,
    )


def _pace(written: WrittenScenario, source: RequestFile | WorkloadShape) -> Pace:
    usual = Pace(season_s=source.day_s) if isinstance(source, WorkloadShape) else Pace()
    given = {name: getattr(written, name) for name in ("scrape_s", "plan_s", "step_s", "season_s")}
    lookback_s = LOOKBACK_S if written.staleness == "lookback" else 0.0
    return replace(usual, lookback_s=lookback_s, **{name: value for name, value in given.items() if value is not None})


def _source(written: WrittenScenario, folder: Path, problems: list[Problem]) -> RequestFile | WorkloadShape | None:
    requests = written.requests
    if requests is None:
        return _shape(written.workload or {}, problems)
    path = find_data(requests.path, folder=folder)
    if path is None:
        places = " nor ".join(str(place) for place in data_places(folder))
        fix = f"not found in {places}; correct the path or set {DATA} to the folder that has it"
        problems.append(Problem("requests.path", requests.path, fix))
        return None
    return RequestFile(
        path,
        format=requests.format,
        scale_rate=requests.scale_rate,
        start_s=requests.start,
        duration_s=requests.duration,
        jitter_s=requests.jitter,
        block_tokens=requests.block_tokens,
    )


def _deployment(written: WrittenScenario, folder: Path, problems: list[Problem]) -> Deployment | None:
    told = written.deployment
    try:
        own = own_profiles(placed(told.profiles, data_places(folder)))
        profile = find_profile(model=told.model, gpu=told.gpu, tp=told.tp, own=own)
    except BadProfile as error:
        problems.extend(error.problems)
        return None
    except LookupError as error:
        problems.append(Problem("deployment", f"{told.model} on {told.gpu} with tp {told.tp}", str(error.args[0])))
        return None
    try:
        return told.deployment(profile)
    except ValueError as error:
        problems.append(complaint(str(error), below="deployment"))
        return None


def _refuse_no_room(written: WrittenScenario, problems: list[Problem]) -> None:
    if written.nodes is None:
        return
    most, needed = written.nodes.most, written.deployment.tp
    if most < needed:
        fix = f"a replica needs {needed}, so that none ever starts; give at least as many at some time"
        problems.append(Problem("nodes.gpus", str(most), fix))


def _cap(written: WrittenScenario, deployment: Deployment | None, problems: list[Problem]) -> PowerCap | None:
    if written.power is None or deployment is None:
        return None
    try:
        return written.power.cap(deployment.profile.gpu)
    except ValueError as error:
        problems.append(Problem("power.cap_w", f"{written.power.cap_w:g}", str(error)))
        return None


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
        return read_shape(fields)
    except ValidationError as error:
        problems += problems_of(error, model=WorkloadShape, below="workload")
        return None
