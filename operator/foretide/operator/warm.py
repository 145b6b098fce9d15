"""`spec.warm` as its owner wrote it, and whether the target could come back from zero at all."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from foretide.operator.base import Written
from foretide.operator.times import seconds
from foretide.policies.declared import PLACEHOLDER, SLEEPING, Between, Rest

SHORTEST_S, LONGEST_S = 60.0, 86400.0


def _keep_alive(value: object) -> float | None:
    if value == "auto":
        return None
    parsed = seconds(value)
    if not SHORTEST_S <= parsed <= LONGEST_S:
        raise ValueError(f"{value!r} must be auto, or between 1m and 24h")
    return parsed


def _time(value: object) -> float:
    parsed = seconds(value)
    if not 0.0 < parsed <= LONGEST_S:
        raise ValueError(f"{value!r} must be above 0s and at most 24h")
    return parsed


def _share(value: object) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(str(value))
    except ValueError:
        number = float("nan")
    if not 0.0 < number < 1.0:
        raise ValueError(f"{value!r} must be a share of a ready replica above 0 and below 1, like '0.1'")
    return number


Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]


class WrittenTier(Written):
    """A tier between zero and ready."""

    name: Literal["sleeping", "placeholder"]
    wake_time: Annotated[float, BeforeValidator(_time)]
    price: Annotated[float, BeforeValidator(_share)]
    keep_for: Annotated[float, BeforeValidator(_time)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    deployment: Name | None = None

    @model_validator(mode="after")
    def _has_a_way_back(self) -> "WrittenTier":
        if self.name == SLEEPING and self.port is None:
            raise ValueError("sleeping has no wake path; give the port of the engine's API, like port: 8000")
        if self.name == PLACEHOLDER and self.deployment is None:
            raise ValueError("placeholder has no pods; give the deployment that holds nodes, like deployment: hold")
        return self

    def between(self) -> Between:
        return Between(self.name, self.wake_time, self.price, self.keep_for)


class WrittenWarm(Written):
    """What may go to zero, and how long it stays ready before."""

    scale_to_zero: bool = False
    keep_alive: Annotated[float | None, BeforeValidator(_keep_alive)] = None
    tiers: list[WrittenTier] = Field(max_length=2, default_factory=list)
    placeholder_priority_class: Name | None = None

    @model_validator(mode="after")
    def _tiers_make_sense(self) -> "WrittenWarm":
        names = [one.name for one in self.tiers]
        if len(set(names)) < len(names):
            raise ValueError(f"tiers: {names[0]} is there twice; keep one")
        if PLACEHOLDER in names and self.placeholder_priority_class is None:
            fix = "name the class of the placeholder's pods, with a value below 0"
            raise ValueError(f"placeholderPriorityClass: missing, and tiers has placeholder; {fix}")
        return self

    def rest(self) -> Rest | None:
        ordered = sorted(self.tiers, key=lambda one: -one.wake_time)
        return Rest(self.keep_alive, tuple(one.between() for one in ordered)) if self.scale_to_zero else None

    def tier(self, name: str) -> WrittenTier | None:
        return next((one for one in self.tiers if one.name == name), None)


def contradiction(warm: WrittenWarm, *, engine: str, gateway: bool, min_replicas: int, target: str = "") -> str:
    """Why these do not go together, in one line with the fix; empty where they do."""
    if min_replicas == 0 and not warm.scale_to_zero:
        return "pools[0].minReplicas: 0: needs warm: {scaleToZero: true}, or give at least 1"
    if not warm.scale_to_zero:
        return f"warm.tiers: {warm.tiers[0].name}: needs scaleToZero: true" if warm.tiers else ""
    placeholder = warm.tier(PLACEHOLDER)
    if placeholder is not None and placeholder.deployment == target:
        return f"warm.tiers: placeholder: deployment {target} is the target itself; name the one that holds nodes"
    if min_replicas > 0:
        return f"warm.scaleToZero: true: pools[0].minReplicas is {min_replicas}; set it to 0"
    if not gateway:
        fix = "use engine epp or dynamo, or custom with metrics.gateway"
        return f"warm.scaleToZero: true: engine {engine} reports from pods that are gone at zero; {fix}"
    return ""
