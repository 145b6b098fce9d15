"""The metadata of a manifest before an API server has seen it: whether it has the shape that an API server gives it."""

from collections.abc import Mapping
from typing import Any

TEXTS = ("name", "namespace", "uid", "creationTimestamp")


def misshapen(metadata: Any) -> str:
    """What is wrong with it, in one line with field, value and fix; empty where nothing is."""
    if not isinstance(metadata, Mapping):
        return f"metadata: {_short(metadata)}: write fields, like {{name: llama}}"
    for name in TEXTS:
        if not isinstance(metadata.get(name) or "", str):
            return f"metadata.{name}: {_short(metadata[name])}: is no text; write it in quotes"
    if not isinstance(metadata.get("generation") or 0, int):
        return f"metadata.generation: {_short(metadata['generation'])}: is no whole number; leave it out"
    return _annotations(metadata.get("annotations") or {})


def _annotations(annotations: Any) -> str:
    if not isinstance(annotations, Mapping):
        return f"metadata.annotations: {_short(annotations)}: write fields, like {{team: search}}"
    odd = next((name for name, value in annotations.items() if not isinstance(value or "", str)), None)
    if odd is None:
        return ""
    return f"metadata.annotations: {_short(annotations[odd])} of {_short(odd)}: is no text; write it in quotes"


def _short(value: Any) -> str:
    return repr(value)[:60]
