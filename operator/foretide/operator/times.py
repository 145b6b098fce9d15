"""Durations and points in time as Kubernetes objects write them."""

import re
from datetime import UTC, datetime
from typing import Any

_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: Any) -> float:
    """Seconds of a duration like `500ms`, `5m` or `1m30s`. Raises ValueError naming the fix."""
    if isinstance(text, float) and not isinstance(text, bool):
        return text  # already parsed
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} has no unit; write a duration like 500ms, 25ms or 5m")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def timestamp(text: Any) -> float | None:
    """Seconds since 1970 of a Kubernetes time; None when there is none."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def written_time(at: float) -> str:
    """Kubernetes' way of writing a time, in whole seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
