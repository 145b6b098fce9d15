"""An InferenceAutoscaler as its owner wrote it: a dict in, a typed value out, or the list of all that is wrong.

The API server has validated it already; this is the second look, for resources stored under an older schema, for
`foretide validate`, and because nothing dict-shaped goes further inside. Defaults are those of the CRD.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from foretide.operator.approvals import approval
from foretide.operator.base import Written
from foretide.operator.engines.preset import Lens, Preset
from foretide.operator.engines.vllm import VLLM
from foretide.operator.engines.written import Engine, WrittenMetrics, lacking, preset_of
from foretide.operator.local_days import WrittenCalendar, holidays
from foretide.operator.metadata import misshapen
from foretide.operator.pair.written import Role, WrittenPair, beside_a_pair, misfit
from foretide.operator.schedule import WrittenEvent, scheduled
from foretide.operator.seams import Body, Key, TargetRef
from foretide.operator.times import seconds, timestamp
from foretide.operator.tuner.written import Tuning, WrittenConcurrency, limit_in_force
from foretide.operator.warm import WrittenWarm, contradiction
from foretide.policies.flow import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Behavior,
    Costs,
    LatencyTarget,
    Mode,
    Objective,
    ScalingPolicy,
    ScalingRules,
    ScalingSelect,
)
from foretide.policies.pair.setting import Ratio
from foretide.policies.turn import TargetSpec
from foretide.simulator.nearest import unknown_field

GROUP, VERSION, PLURAL = "autoscaling.foretide.io", "v1alpha1", "inferenceautoscalers"
KIND = "InferenceAutoscaler"
APPROVE = f"{GROUP}/approve"
"""Annotation that approves a published recommendation: its count and its id, like "5@1f0c9a3e"."""
API_VERSION = f"{GROUP}/{VERSION}"
PAUSED = f"{GROUP}/paused"
"""Annotation that pauses a resource while its value is "true", whatever its mode."""
RESUME = f"{GROUP}/resume"
"""Annotation whose every new value ends a time in which we held because somebody else wrote the replicas."""
BY_KEDA = "keda"
"""The actuation of a target whose replicas KEDA writes, at the count that we answer."""


def _between(low: float, high: float, text: str) -> Any:
    def check(value: Any) -> float:
        parsed = seconds(value)
        if not low <= parsed <= high:
            raise ValueError(f"{value!r} must be between {text}")
        return parsed

    return BeforeValidator(check)


def _percentile(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a percentile; write 99 or '99.9'")  # noqa: TRY004 (pydantic reads ValueError)
    try:
        number = float(value)
    except (OverflowError, ValueError):
        raise ValueError(f"{value!r} is not a percentile; write 99 or '99.9'") from None
    if not 0 < number < 100:
        raise ValueError(f"{value} must be above 0 and below 100, like 99 or '99.9'")
    return number


def _probability(value: Any) -> float:
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        raise ValueError(f"{value!r} is not a probability; write a number like '0.01'") from None
    if not 0 < number < 1:
        raise ValueError(f"{value} must be above 0 and below 1, like '0.01'")
    return number


def _price(value: Any) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (OverflowError, TypeError, ValueError):
        number = float("nan")
    if not 0 < number < float("inf"):
        raise ValueError(f"{value!r} is not a price; write a number above 0, like '2.50'")
    return number


class _Latency(Written):
    percentile: Annotated[float, BeforeValidator(_percentile)] = 99.0
    threshold: Annotated[float, _between(0.001, 3600, "1ms and 1h")]


class _Costs(Written):
    gpu_hour: Annotated[float, BeforeValidator(_price)]
    violation: Annotated[float, BeforeValidator(_price)]


class _Objective(Written):
    ttft: _Latency | None = None
    tpot: _Latency | None = None
    # The alias generator would call it e2E.
    e2e: Annotated[_Latency | None, Field(alias="e2e")] = None
    max_violation_probability: Annotated[float, BeforeValidator(_probability)] = 0.01
    window: Annotated[float, _between(10, 86400, "10s and 24h")] = 300.0
    costs: _Costs | None = None

    @model_validator(mode="after")
    def _declares_something(self) -> "_Objective":
        if self.ttft is None and self.tpot is None and self.e2e is None:
            raise ValueError("declares nothing; give at least one of ttft, tpot, e2e, like ttft: {threshold: 500ms}")
        return self


class _TargetRef(Written):
    api_version: Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*$")] = "apps/v1"
    kind: Annotated[str, Field(max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")] = "Deployment"
    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]


class _Pool(Written):
    name: str = "main"
    role: Role = "aggregated"
    target_ref: _TargetRef
    gpus_per_replica: Annotated[int, Field(ge=1, le=1024)] = 1
    accelerator: Annotated[str, Field(min_length=1, max_length=63)]
    min_replicas: Annotated[int, Field(ge=0, le=10000)] = 1
    max_replicas: Annotated[int, Field(ge=1, le=10000)]

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "_Pool":
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"minReplicas {self.min_replicas} is above maxReplicas {self.max_replicas}; change one")
        return self


class _ScalingPolicy(Written):
    type: Literal["Pods", "Percent"]
    value: Annotated[int, Field(ge=1, le=10000)]
    period_seconds: Annotated[int, Field(ge=1, le=1800)]


class _Rules(Written):
    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    select_policy: ScalingSelect = ScalingSelect.MAX
    policies: Annotated[list[_ScalingPolicy], Field(min_length=1, max_length=8)] | None = None


class _Behavior(Written):
    scale_up: _Rules = _Rules()
    scale_down: _Rules = _Rules()


class _Spec(Written):
    mode: Mode = Mode.RECOMMEND
    model: Annotated[str, Field(min_length=1, max_length=128)]
    engine: Engine = "vllm"
    objective: _Objective
    pools: Annotated[list[_Pool], Field(min_length=1)]
    pair: WrittenPair | None = None
    metrics: WrittenMetrics = WrittenMetrics()
    behavior: _Behavior = _Behavior()
    schedule: Annotated[list[WrittenEvent], Field(max_length=64, default_factory=list)]
    calendar: WrittenCalendar = WrittenCalendar()
    warm: WrittenWarm = WrittenWarm()
    concurrency: WrittenConcurrency | None = None
    actuation: Literal["scale", "keda"] = "scale"

    @model_validator(mode="after")
    def _can_be_read(self) -> "_Spec":
        if lack := lacking(self.engine, self.metrics):
            raise ValueError(lack)
        return self

    @model_validator(mode="after")
    def _pools_fit(self) -> "_Spec":
        if found := misfit(self.pools, self.pair) or beside_a_pair(self):
            raise ValueError(found)
        return self

    @model_validator(mode="after")
    def _can_come_back_from_zero(self) -> "_Spec":
        found = contradiction(
            self.warm,
            engine=self.engine,
            gateway=preset_of(self.engine, self.metrics).gateway,
            min_replicas=self.pools[0].min_replicas,
            target=self.pools[0].target_ref.name,
        )
        if found:
            raise ValueError(found)
        return self


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """The declared pool and what its replicas run on."""

    name: str
    target: TargetRef
    accelerator: str
    gpus_per_replica: int
    min_replicas: int
    max_replicas: int
    index: int = 0
    """Of `spec.pools`, for messages."""


@dataclass(frozen=True, slots=True)
class Resource:
    """An InferenceAutoscaler that makes sense."""

    key: Key
    uid: str
    generation: int
    created: float
    model: str
    source: str
    pool: PoolSpec
    spec: TargetSpec
    actuation: str = "scale"
    preset: Preset = VLLM
    gateway: str = ""
    """The workload in front of the engines whose pods tell demand."""
    tuning: Tuning | None = None
    """What `foretide tuner` sets; the operator writes nothing of it."""
    limit: int | None = None
    """Requests that one replica takes at once, as the tuner last published it; None where nothing is tuned."""
    resume: str = ""
    """The owner's newest request to write replicas again."""
    warm: WrittenWarm = field(default_factory=WrittenWarm)
    decode: PoolSpec | None = None
    """Given, there are two pools, and `pool` is the prefill pool."""
    ratio: Ratio = field(default_factory=Ratio)
    """Of prefill replicas over decode replicas, where there are two pools."""

    @property
    def pools(self) -> tuple[PoolSpec, ...]:
        return (self.pool,) if self.decode is None else (self.pool, self.decode)

    @property
    def lens(self) -> Lens:
        """What is asked of its source."""
        model = self.model if self.preset.model_label else ""
        return Lens(self.source, self.preset, self.gateway, model)

    @property
    def told_by(self) -> str:
        """The workload whose pods tell demand: the target, or a gateway; empty for all gateways of the namespace."""
        return self.gateway if self.preset.gateway else self.pool.target.name


@dataclass(frozen=True, slots=True)
class Parsed:
    """`resource` is None when there are problems; warnings name what was ignored. Each is one line."""

    resource: Resource | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def parse(body: Body, *, strict: bool = False) -> Parsed:
    """The typed resource, or its problems. Unknown fields are warnings, or problems when `strict`."""
    if problem := misshapen(body.get("metadata") or {}):
        return Parsed(None, (problem,))
    raw = body.get("spec")
    if not isinstance(raw, Mapping):
        return Parsed(None, ("spec: missing; an InferenceAutoscaler needs model, objective and pools",))
    spec, problems, unknown = _validated(raw)
    if strict:
        problems = (*problems, *unknown)
    if spec is None or problems:
        return Parsed(None, problems, unknown)
    return Parsed(_resource(body, spec), (), unknown)


def _validated(raw: Mapping[str, Any]) -> tuple[_Spec | None, tuple[str, ...], tuple[str, ...]]:
    """The spec, its problems, and its unknown fields, which are then taken out and the rest is validated again."""
    try:
        return _Spec.model_validate(raw), (), ()
    except ValidationError as error:
        errors = error.errors(include_url=False)
    unknown = [found for found in errors if found["type"] == "extra_forbidden"]
    words = tuple(f"{_path(found['loc'])}: {unknown_field(_Spec, found['loc'])}" for found in unknown)
    if len(unknown) < len(errors):
        return None, tuple(_worded(found) for found in errors if found["type"] != "extra_forbidden"), words
    try:
        return _Spec.model_validate(raw, extra="ignore"), (), words
    except ValidationError as error:
        # Rules over several fields are asked only once each field is known.
        return None, tuple(_worded(found) for found in error.errors(include_url=False)), words


def _worded(found: Any) -> str:
    message = str(found["msg"]).removeprefix("Value error, ")
    if found["type"] == "missing":
        return f"{_path(found['loc'])}: missing; it is required"
    value = "" if found["type"] == "value_error" or isinstance(found["input"], Mapping) else f"{found['input']!r}: "
    return f"{_path(found['loc'])}: {value}{message}" if found["loc"] else f"spec.{message}"


def _path(location: tuple[int | str, ...]) -> str:
    """`spec.pools[0].targetRef`, as the API server writes it."""
    words = [f"[{part}]" if isinstance(part, int) else f".{_printable(part)}" for part in location]
    return "spec" + "".join(words)


def _printable(name: str) -> str:
    return name if name.isprintable() else repr(name)


def _resource(body: Body, spec: _Spec) -> Resource:
    meta = body.get("metadata") or {}
    key = Key(meta.get("namespace") or "default", meta.get("name") or "")
    pools = sorted((pool.role != "prefill", index) for index, pool in enumerate(spec.pools))
    pool, *decode = (_pool(spec.pools[index], index) for _, index in pools)
    annotations = meta.get("annotations") or {}
    return Resource(
        key=key,
        uid=meta.get("uid") or "",
        generation=int(meta.get("generation") or 0),
        created=timestamp(meta.get("creationTimestamp")) or 0.0,
        model=spec.model,
        source=spec.metrics.source,
        preset=preset_of(spec.engine, spec.metrics),
        gateway=spec.metrics.gateway or "",
        pool=pool,
        spec=_target_spec(spec, str(key), annotations),
        actuation=spec.actuation,
        tuning=spec.concurrency.tuning() if spec.concurrency else None,
        limit=limit_in_force(body.get("status") or {}) if spec.concurrency else None,
        resume=str(annotations.get(RESUME) or ""),
        warm=spec.warm,
        decode=decode[0] if decode else None,
        ratio=spec.pair.ratio.bounds() if spec.pair else Ratio(),
    )


def _target_spec(spec: _Spec, name: str, annotations: Mapping[str, Any]) -> TargetSpec:
    return TargetSpec(
        name=name,
        mode=Mode.PAUSED if annotations.get(PAUSED) == "true" else spec.mode,
        objective=_objective(spec.objective),
        behavior=Behavior(
            up=_rules(spec.behavior.scale_up, DEFAULT_SCALE_UP),
            down=_rules(spec.behavior.scale_down, DEFAULT_SCALE_DOWN),
        ),
        schedule=(*scheduled(spec.schedule), *holidays(spec.calendar)),
        time_zone=spec.calendar.time_zone,
        rest=spec.warm.rest(),
        # Another mode reads no approval, so that an old one never looks like a change of its spec.
        approval=approval(annotations.get(APPROVE)) if spec.mode is Mode.APPROVE else None,
    )


def _pool(pool: _Pool, index: int) -> PoolSpec:
    return PoolSpec(
        name=pool.name,
        target=TargetRef(pool.target_ref.api_version, pool.target_ref.kind, pool.target_ref.name),
        accelerator=pool.accelerator,
        gpus_per_replica=pool.gpus_per_replica,
        min_replicas=pool.min_replicas,
        max_replicas=pool.max_replicas,
        index=index,
    )


def _objective(written: _Objective) -> Objective:
    def target(latency: _Latency | None) -> LatencyTarget | None:
        return LatencyTarget(latency.percentile, latency.threshold) if latency else None

    return Objective(
        ttft=target(written.ttft),
        tpot=target(written.tpot),
        e2e=target(written.e2e),
        max_violation_probability=written.max_violation_probability,
        window_s=written.window,
        costs=Costs(written.costs.gpu_hour, written.costs.violation) if written.costs else None,
    )


def _rules(written: _Rules, default: ScalingRules) -> ScalingRules:
    window, policies = written.stabilization_window_seconds, written.policies
    return ScalingRules(
        stabilization_s=default.stabilization_s if window is None else float(window),
        policies=default.policies
        if policies is None
        else tuple(ScalingPolicy(policy.type, policy.value, float(policy.period_seconds)) for policy in policies),
        select=written.select_policy,
    )
