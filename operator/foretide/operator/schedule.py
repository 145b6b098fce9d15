"""`spec.schedule` as its owner wrote it: known events, each with its time, its size and how sure it is.

What is NOT promised: recurrence. Each event is written out; those that are over are what the next ones learn from.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from foretide.operator.base import Written
from foretide.policies.declared import ScheduledEvent

LONGEST_S = 7 * 86400.0
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(x|/s)")
_FIX = "write a multiple like 3x, or requests per second like 250/s"


def _time(value: Any) -> float:
    """Seconds since 1970; a time without a zone is refused, because two readers would take it for two times."""
    if isinstance(value, float):
        return value  # already parsed
    written = value if isinstance(value, datetime) else _parsed(value)
    if written is None or written.tzinfo is None:
        raise ValueError(f"{str(value)!r} is no time with a zone; write it like 2027-03-01T09:00:00Z")
    return written.timestamp()


def _parsed(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _size(value: Any) -> tuple[float, bool]:
    """(number, whether it is a multiple)."""
    if isinstance(value, tuple):
        return value  # already parsed
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"{value!r} has no unit; {_FIX}")
    number, relative = float(found[1]), found[2] == "x"
    least, most = (0.01, 100.0) if relative else (0.001, 1e6)
    if not least <= number <= most:
        raise ValueError(f"{value!r} must be between {least:g} and {most:g}{found[2]}; {_FIX}")
    return number, relative


def _confidence(value: Any) -> float:
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        raise ValueError(f"{value!r} is not a probability; write a number like '0.9'") from None
    if isinstance(value, bool) or not 0 < number <= 1:
        raise ValueError(f"{value} must be above 0 and at most 1, like '0.9'")
    return number


Size = Annotated[tuple[float, bool], BeforeValidator(_size)]
Confidence = Annotated[float, BeforeValidator(_confidence)]


class WrittenEvent(Written):
    """One entry of `spec.schedule`."""

    name: Annotated[str, Field(max_length=63)] = ""
    start: Annotated[float, BeforeValidator(_time)]
    end: Annotated[float, BeforeValidator(_time)]
    expected_demand: Size
    confidence: Confidence = 0.9

    @model_validator(mode="after")
    def _in_order(self) -> "WrittenEvent":
        if not 0 < self.end - self.start <= LONGEST_S:
            raise ValueError("end must come after start, by at most seven days; correct one of them")
        return self


def scheduled(written: Iterable[WrittenEvent]) -> tuple[ScheduledEvent, ...]:
    return tuple(
        ScheduledEvent(event.start, event.end, *event.expected_demand, event.confidence, event.name)
        for event in written
    )
