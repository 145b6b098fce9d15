"""A decision with its evidence as one JSON-able record, and back: what was decided can be decided again.

Arrays travel as base64 of zlib-compressed little-endian float64, so that a replay sees the very same numbers.

What is NOT promised: that a record of one version can be read by another; `VERSION` guards that.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from zlib import compress, decompress

import numpy as np

from foretide.policies.flow import Decision, Evidence, Floats, frozen

VERSION = 1


class BadRecord(ValueError):
    """A journal record that cannot be read, in one line."""


def encode(evidence: Evidence, decision: Decision) -> dict[str, Any]:
    """Both as plain JSON values. The decision is for people; the evidence is what a replay needs."""
    return {"version": VERSION, "evidence": _plain(evidence), "decision": _plain(decision)}


def decode_evidence(record: dict[str, Any]) -> Evidence:
    """The evidence of a record. Raises BadRecord for another version or a malformed record."""
    if record.get("version") != VERSION:
        raise BadRecord(f"version: {record.get('version')}: this build reads version {VERSION}")
    try:
        evidence: Evidence = _typed(record["evidence"], Evidence)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRecord(f"evidence: {type(error).__name__} {error}: the record is damaged") from error
    return evidence


def _plain(value: object) -> Any:
    if isinstance(value, np.ndarray):
        raw = compress(np.ascontiguousarray(value, dtype="<f8").tobytes())
        return {"shape": list(value.shape), "f8": b64encode(raw).decode("ascii")}
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _typed(plain: Any, kind: Any) -> Any:
    """`plain` as a value of the annotated type `kind`; the inverse of `_plain`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (UnionType, Union):
        present = [argument for argument in arguments if argument is not type(None)]
        return None if plain is None else _typed(plain, present[0])
    if isinstance(plain, dict) and "f8" in plain:
        return _array(plain)
    if origin is tuple:
        return _tuple(plain, arguments)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        told = [field for field in fields(kind) if field.name in plain or field.default is MISSING]
        return kind(**{field.name: _typed(plain[field.name], hints[field.name]) for field in told})
    convert: Callable[[Any], Any] = kind if isinstance(kind, type) and issubclass(kind, Enum) else _unchanged
    return convert(plain)


def _tuple(plain: list[Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_typed(item, arguments[0]) for item in plain)
    return tuple(_typed(item, argument) for item, argument in zip(plain, arguments, strict=True))


def _array(plain: dict[str, Any]) -> Floats:
    values = np.frombuffer(decompress(b64decode(plain["f8"])), dtype="<f8")
    return frozen(values.reshape(plain["shape"]))


def _unchanged(value: Any) -> Any:
    return value
