"""Settings of rivals as a scenario gives them, `policies: {name: {setting: [...]}}`: numbers, or words for numbers.

What is NOT promised: that a setting belongs to its policy. `field` says so when the rival is built.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Annotated, Any

from pydantic import BeforeValidator

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import Behavior

Given = Mapping[str, float]
"""Settings by name."""
PREDICTORS = ("constant", "arima", "kalman", "prophet")
SWITCHES = ("load_loop", "credit")
WORDS: Mapping[str, tuple[str, ...]] = {"predictor": PREDICTORS, **dict.fromkeys(SWITCHES, ("off", "on"))}
"""What the numbers 0, 1, ... of a setting are called."""
ZERO_TOO = ("activation", "scale_down_delay_s", "up_window_s", "down_window_s")
WINDOWS = ("up_window_s", "down_window_s")
"""Of HPA's `behavior`: its stabilisation windows."""


def number_of(written: Any) -> Any:
    """The number that a word stands for; anything else as it is. YAML reads on and off as true and false."""
    if isinstance(written, str):
        found = [words.index(written) for words in WORDS.values() if written in words]
        return float(found[0]) if found else written
    return written


Setting = Annotated[float, BeforeValidator(number_of)]


def problem_of(name: str, value: float) -> str | None:
    """How to mend a value that a setting cannot have; None where it can have it."""
    words = WORDS.get(name)
    if words is not None:
        return None if value in range(len(words)) else f"give one of {', '.join(words)}"
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
