"""The parts of a scenario that users write: durations, percentiles, objectives, behavior. Parsed once, here.

Promised: a value that cannot be is refused with what it is and how to write it. NOT promised: any default that is not
written down in this file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from reprlib import Repr
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from foretide.policies.flow import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Behavior,
    Costs,
    LatencyTarget,
    Objective,
    ScalingPolicy,
    ScalingRules,
    ScalingSelect,
)
from foretide.simulator.nearest import unknown_field

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_COMPLAINT = re.compile(r"(?P<name>[a-z_]+): (?:(?P<value>[^:]+): )?(?P<fix>.+)", re.DOTALL)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong: the field's path, the value as written, and what to write instead."""

    field: str
    value: str
    fix: str

    def __str__(self) -> str:
        return f"{self.field}: {self.value}: {self.fix}" if self.value else f"{self.field}: {self.fix}"


def seconds(text: Any) -> float:
    """Seconds of a duration like `500ms`, `5m` or `1m30s`. Raises ValueError naming the fix."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError("write a number with its unit, like 500ms, 25ms or 5m")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def moment(value: Any) -> float:
    """Seconds of a duration, or of a plain number of seconds. Raises ValueError naming the fix."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        parsed = float(value)
    else:
        text = str(value)
        parsed = float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else seconds(value)
    if not 0 <= parsed < float("inf"):
        raise ValueError("write seconds or a duration that is not negative, like 600 or 10m")
    return parsed


def _within(low: float, high: float, text: str) -> BeforeValidator:
    def check(value: Any) -> float:
        parsed = seconds(value)
        if not low <= parsed <= high:
            raise ValueError(f"must be between {text}")
        return parsed

    return BeforeValidator(check)


def _percentile(value: Any) -> float:
    number = _number(value, "write a percentile like 99 or 99.9")
    if not 0 < number < 100:
        raise ValueError("must be above 0 and below 100, like 99 or 99.9")
    return number


def _probability(value: Any) -> float:
    number = _number(value, "write a probability like 0.01")
    if not 0 < number < 1:
        raise ValueError("must be above 0 and below 1, like 0.01")
    return number


def _price(value: Any) -> float:
    number = _number(value, "write a price like 2.5")
    if not 0 < number < float("inf"):
        raise ValueError("must be above 0, like 2.5")
    return number


def _number(value: Any, fix: str) -> float:
    try:
        return float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        raise ValueError(fix) from None


class Written(BaseModel):
    """What users write. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Camel(Written):
    """Names as the custom resource spells them."""

    model_config = ConfigDict(alias_generator=to_camel)


class WrittenLatency(Written):
    percentile: Annotated[float, BeforeValidator(_percentile)] = 99.0
    threshold: Annotated[float, _within(0.001, 3600, "1ms and 1h")]

    def target(self) -> LatencyTarget:
        return LatencyTarget(self.percentile, self.threshold)


class WrittenCosts(Camel):
    gpu_hour: Annotated[float, BeforeValidator(_price)]
    violation: Annotated[float, BeforeValidator(_price)]

    def costs(self) -> Costs:
        return Costs(self.gpu_hour, self.violation)


class WrittenObjective(Written):
    ttft: WrittenLatency | None = None
    tpot: WrittenLatency | None = None
    e2e: WrittenLatency | None = None
    max_violation_probability: Annotated[
        float, BeforeValidator(_probability), Field(alias="maxViolationProbability")
    ] = 0.01
    window: Annotated[float, _within(10, 86400, "10s and 24h")] = 300.0
    costs: WrittenCosts | None = None

    @model_validator(mode="after")
    def _declares_something(self) -> "WrittenObjective":
        if self.ttft is None and self.tpot is None and self.e2e is None:
            raise ValueError("declares nothing; give at least one of ttft, tpot, e2e, like ttft: {threshold: 500ms}")
        return self

    def objective(self) -> Objective:
        return Objective(
            ttft=self.ttft.target() if self.ttft else None,
            tpot=self.tpot.target() if self.tpot else None,
            e2e=self.e2e.target() if self.e2e else None,
            max_violation_probability=self.max_violation_probability,
            window_s=self.window,
            costs=self.costs.costs() if self.costs else None,
        )


class _WrittenPolicy(Camel):
    type: Literal["Pods", "Percent"]
    value: Annotated[int, Field(ge=1, le=10000)]
    period_seconds: Annotated[int, Field(ge=1, le=1800)]


class _WrittenRules(Camel):
    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    select_policy: ScalingSelect = ScalingSelect.MAX
    policies: Annotated[list[_WrittenPolicy], Field(min_length=1, max_length=8)] | None = None

    def rules(self, default: ScalingRules) -> ScalingRules:
        window, policies = self.stabilization_window_seconds, self.policies
        return ScalingRules(
            stabilization_s=default.stabilization_s if window is None else float(window),
            policies=default.policies
            if policies is None
            else tuple(ScalingPolicy(policy.type, policy.value, float(policy.period_seconds)) for policy in policies),
            select=self.select_policy,
        )


class WrittenBehavior(Camel):
    """HPA v2 `behavior`; what is left out keeps our defaults."""

    scale_up: _WrittenRules = _WrittenRules()
    scale_down: _WrittenRules = _WrittenRules()

    def behavior(self) -> Behavior:
        return Behavior(up=self.scale_up.rules(DEFAULT_SCALE_UP), down=self.scale_down.rules(DEFAULT_SCALE_DOWN))


_SAID = {
    "string_type": "write text, in quotes where it looks like something else",
    "too_short": "give at least one",
    "int_parsing": "should be a valid number, a whole one",
    "int_from_float": "should be a valid number, a whole one",
    "float_parsing": "should be a valid number",
    **dict.fromkeys(("model_type", "dataclass_type", "dict_type"), "write its fields below it"),
}
"""In place of what pydantic says of Python's types."""


def problems_of(error: ValidationError, *, model: type | None = None, below: str = "") -> tuple[Problem, ...]:
    """Every complaint of pydantic as field, value and fix; `below` is the field that holds what was read.

    With the model that refused it, a field that it does not have gets the nearest one that it has.
    """
    return tuple(_problem(found, model, below) for found in error.errors(include_url=False))


def _problem(found: Any, model: type | None, below: str) -> Problem:
    field = _path((below, *found["loc"]) if below else found["loc"]) or "scenario"
    message = str(found["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if found["type"] == "missing":
        return Problem(field, "", "missing; it is required")
    if found["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return Problem(field, shown(found["input"]), unknown_field(model or object, found["loc"]))
    if isinstance(found["input"], Mapping | BaseModel):
        return complaint(_SAID.get(found["type"], message), below=field)
    return Problem(field, shown(found["input"]), _SAID.get(found["type"], message))


def complaint(message: str, *, below: str) -> Problem:
    """A complaint about what `below` holds, as typed values word it: `name: value: fix`, or anything else."""
    parts = _COMPLAINT.fullmatch(message)
    if parts is None:
        return Problem(below, "", message)
    return Problem(f"{below}.{parts['name']}", shown(parts["value"] or ""), parts["fix"])


_BRIEF = Repr()
_BRIEF.maxlevel, _BRIEF.maxlist, _BRIEF.maxdict, _BRIEF.maxstring = 3, 6, 6, 80


def shown(value: Any) -> str:
    """The value on one line, cut where it is long."""
    # YAML's aliases can make a list of lists that is exponentially long when it is written out.
    text = " ".join((_BRIEF.repr(value) if isinstance(value, list | dict) else str(value)).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def _path(location: tuple[int | str, ...]) -> str:
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(words).removeprefix(".")
