"""Merge patches (RFC 7386) of what is published."""

from collections.abc import Mapping
from typing import Any


def patch_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that makes `after` of `before`: what is gone becomes null, else it would stay."""
    patch: dict[str, Any] = dict.fromkeys(set(before) - set(after))
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            patch[name] = patch_between(old, value)
        elif value != old:
            patch[name] = value
    return patch
