"""JSON patch (RFC 6902), as much of it as the tuner writes: an API server in ten lines."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def applied(body: Mapping[str, Any], patch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The object after the patch. AssertionError where a test in it fails."""
    new: dict[str, Any] = json.loads(json.dumps(body))
    for operation in patch:
        *steps, last = (part.replace("~1", "/").replace("~0", "~") for part in operation["path"][1:].split("/"))
        inner: Any = new
        for step in steps:
            inner = inner[int(step) if isinstance(inner, list) else step]
        place: Any = int(last) if isinstance(inner, list) else last
        if operation["op"] == "test":
            assert inner[place] == operation["value"], operation
        else:
            inner[place] = operation["value"]
    return new
