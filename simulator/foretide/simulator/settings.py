"""Settings of rivals as a scenario gives them, `policies: {name: {setting: [...]}}`: numbers, or words for numbers.

What is NOT promised: that a setting belongs to its policy. `field` says so when the rival is built.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import Behavior

Given = Mapping[str, float]
"""Settings by name."""
Variant = Literal["immediate", "utilization", "arima"]
PREDICTORS = ("constant", "arima", "kalman", "prophet")
VARIANTS: tuple[Variant, ...] = ("immediate", "utilization", "arima")
"""SageServe's LT-I, LT-U and LT-UA."""
SWITCHES = ("load_loop", "credit")
WORDS: Mapping[str, tuple[str, ...]] = {
    "predictor": PREDICTORS,
    "variant": VARIANTS,
    **dict.fromkeys(SWITCHES, ("off", "on")),
}
"""What the numbers 0, 1, ... of a setting are called."""
ZERO_TOO = ("activation", "scale_down_delay_s", "up_window_s", "down_window_s")
WHOLE = ("replicas", "fallback_replicas", "activation_scale")
WINDOWS = ("up_window_s", "down_window_s")
"""Of HPA's `behavior`: its stabilisation windows."""


def numbered(written: Any) -> Any:
    """All settings of a policy by name, with numbers for words. YAML reads on and off as true and false."""
    if not isinstance(written, dict):
        return written
    return {name: _numbers(values, WORDS.get(name, ())) for name, values in written.items()}


def _numbers(values: Any, words: tuple[str, ...]) -> Any:
    if not isinstance(values, list):
        return values
    return [float(words.index(value)) if isinstance(value, str) and value in words else value for value in values]


Settings = Annotated[dict[str, Annotated[list[float], Field(min_length=1)]], BeforeValidator(numbered)]
"""Of one policy, as a scenario's file holds them."""


def problem_of(name: str, value: float) -> str | None:
    """How to mend a value that a setting cannot have; None where it can have it."""
    words = WORDS.get(name)
    if words is not None:
        return None if value in range(len(words)) else f"give one of {', '.join(words)}"
    if name in WHOLE:
        return None if value >= 1 and float(value).is_integer() else "give a whole number of at least 1"
    if isfinite(value) and (value > 0 or (value == 0 and name in ZERO_TOO)):
        return None
    return "give a finite number of at least 0" if name in ZERO_TOO else "give a finite number above 0"


def behavior_of(given: Given) -> Behavior:
    """HPA's default behavior with the windows that are given."""
    up, down = HPA_DEFAULT.up, HPA_DEFAULT.down
    return Behavior(
        up=replace(up, stabilization_s=given.get("up_window_s", up.stabilization_s)),
        down=replace(down, stabilization_s=given.get("down_window_s", down.stabilization_s)),
    )
