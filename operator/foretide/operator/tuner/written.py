"""`spec.concurrency` as its owner wrote it: which number is tuned, between what, and by whom.

What is NOT promised: that the object is there, or that its field holds a number. The tuner looks before it writes, and
says so in the status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from foretide.operator.base import Written
from foretide.operator.seams import TargetRef
from foretide.operator.times import seconds
from foretide.operator.tuner.path import FieldPath, field_path, restarts, told
from foretide.operator.tuner.pattern import Pattern
from foretide.policies.concurrency.window import Bounds

Tune = Literal["Rule", "Learn", "Off"]
ENDPOINT = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
NEVER = ("Secret", "ServiceAccount", "Role", "RoleBinding", "Pod", "InferenceAutoscaler")
"""Kinds that the tuner writes for nobody. `Role` stands for its cluster-wide forms as well."""
CHANGE_INTERVAL = 6 * 3600.0


def _kind(value: Any) -> Any:
    if isinstance(value, str) and value.removeprefix("Cluster") in NEVER:
        raise ValueError(f"{value!r} is never written by the tuner; name the object that holds the engine's settings")
    return value


def _path(value: Any) -> FieldPath:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no field path; write it as text")  # noqa: TRY004 (pydantic reads ValueError)
    return field_path(value)


def _pattern(value: Any) -> Pattern:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no pattern; write it as text")  # noqa: TRY004 (pydantic reads ValueError)
    return Pattern(value)


def _budget(value: Any) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number <= 1:
        raise ValueError(f"{value!r} is not a share of requests; write a number from 0 to 1, like '0.003'")
    return number


def _interval(value: Any) -> float:
    parsed = seconds(value)
    if not 60 <= parsed <= 30 * 86400:
        raise ValueError(f"{value!r} must be between 1m and 720h")
    return parsed


class _ObjectRef(Written):
    api_version: Annotated[str, Field(max_length=128, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*$")]
    kind: Annotated[str, Field(max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$"), BeforeValidator(_kind)]
    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]

    def ref(self) -> TargetRef:
        return TargetRef(self.api_version, self.kind, self.name)


class _Knob(Written):
    object_ref: _ObjectRef | None = None
    field_path: Annotated[Any, BeforeValidator(_path)] = None
    pattern: Annotated[Any, BeforeValidator(_pattern)] = None
    endpoint: Annotated[str, Field(max_length=40, pattern=ENDPOINT)] | None = None
    restarts_pods: bool | None = None

    @model_validator(mode="after")
    def _names_one_number(self) -> Self:
        given = (self.object_ref is not None) + (self.field_path is not None)
        more = self.restarts_pods is not None or self.pattern is not None
        if self.endpoint is not None and (given or more):
            raise ValueError("endpoint stands for the whole knob; leave out whatever else knob has")
        if self.endpoint is None and given < 2:
            missing = "objectRef" if self.object_ref is None else "fieldPath"
            raise ValueError(f"{missing} is missing; give objectRef and fieldPath, or endpoint")
        return self


class _Canary(Written):
    object_ref: _ObjectRef
    field_path: Annotated[Any, BeforeValidator(_path)]
    pattern: Annotated[Any, BeforeValidator(_pattern)] = None
    pod_labels: Annotated[dict[str, str], Field(min_length=1, max_length=8)]


@dataclass(frozen=True, slots=True)
class Knob:
    """One number of one object of the resource's namespace."""

    ref: TargetRef
    path: FieldPath
    restarts_pods: bool
    pattern: Pattern | None = None
    """Where in the text of the field it stands; None where the field holds nothing else."""

    def __str__(self) -> str:
        where = f"{self.ref.api_version} {self.ref} {told(self.path)}"
        return where if self.pattern is None else f"{where} {self.pattern}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A number behind an HTTP admin endpoint that the admin allows under this name. It restarts no pods."""

    name: str

    @property
    def restarts_pods(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"endpoint {self.name}"


@dataclass(frozen=True, slots=True)
class Canary:
    """The same number for some of the pods, and their labels."""

    knob: Knob
    pod_labels: tuple[tuple[str, str], ...]

    def covers(self, labels: Any) -> bool:
        return all((labels or {}).get(name) == value for name, value in self.pod_labels)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is tuned. `change_interval_s` is the least time between two changes of a knob that restarts pods."""

    knob: Knob | Endpoint
    bounds: Bounds
    tune: Tune = "Rule"
    canary: Canary | None = None
    loss_budget: float = 0.003
    change_interval_s: float = CHANGE_INTERVAL

    def numbers(self) -> str:
        """Which numbers are tuned, in words."""
        return f"{self.knob}; {self.canary.knob}" if self.canary else str(self.knob)


class WrittenConcurrency(Written):
    """Raises, as pydantic does, one line for each contradiction."""

    knob: _Knob
    canary: _Canary | None = None
    min: Annotated[int, Field(ge=1, le=1_000_000)]
    max: Annotated[int, Field(ge=1, le=1_000_000)]
    tune: Tune = "Rule"
    loss_budget: Annotated[float, BeforeValidator(_budget)] = 0.003
    change_interval: Annotated[float, BeforeValidator(_interval)] = CHANGE_INTERVAL

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if found := self._contradiction():
            raise ValueError(found)
        return self

    def _contradiction(self) -> str:
        if self.min > self.max:
            return f"min {self.min} is above max {self.max}; change one"
        return self._why_not_learn() if self.tune == "Learn" else ""

    def _why_not_learn(self) -> str:
        if self.knob.endpoint is not None:
            return "tune Learn needs objects, and knob is an endpoint; use tune: Rule"
        if self.canary is None:
            return (
                "tune Learn needs a canary, an object whose number reaches some of the pods only; "
                "give canary: {objectRef, fieldPath, podLabels}, or tune: Rule"
            )
        if self._restarts(self.knob) or self._restarts(self.canary):
            return "tune Learn changes its number often, and this one restarts pods; use tune: Rule"
        if self._place(self.canary) == self._place(self.knob):
            return "canary names the knob itself; name an object whose number reaches some of the pods only"
        return ""

    def tuning(self) -> Tuning:
        canary = self.canary
        return Tuning(
            knob=self._knob(self.knob) if self.knob.endpoint is None else Endpoint(self.knob.endpoint),
            bounds=Bounds(self.min, self.max),
            tune=self.tune,
            canary=Canary(self._knob(canary), tuple(sorted(canary.pod_labels.items()))) if canary else None,
            loss_budget=self.loss_budget,
            change_interval_s=self.change_interval,
        )

    def _knob(self, written: _Knob | _Canary) -> Knob:
        assert written.object_ref is not None
        return Knob(written.object_ref.ref(), written.field_path, self._restarts(written), written.pattern)

    @staticmethod
    def _restarts(written: _Knob | _Canary) -> bool:
        told = getattr(written, "restarts_pods", None)
        return restarts(written.field_path) if told is None else bool(told)

    @staticmethod
    def _place(written: _Knob | _Canary) -> tuple[TargetRef | None, FieldPath, Pattern | None]:
        return written.object_ref.ref() if written.object_ref else None, written.field_path, written.pattern


def limit_in_force(status: Mapping[str, Any]) -> int | None:
    """As the tuner published it; None where it did not, or where it makes no sense."""
    limit = (status.get("concurrency") or {}).get("limit")
    return limit if isinstance(limit, int) and not isinstance(limit, bool) and limit >= 1 else None
