"""The name that somebody meant: for a field that a model does not have, the nearest one that it has.

Promised: only names that can be written at that very place. What is NOT promised: a guess at any price; a name that
resembles nothing gets none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

Location = Sequence[int | str]
"""Of a field in what was written, as pydantic gives it; the tag of a union is a part of its own."""
ALIKE = 0.7
"""Ratio of difflib's SequenceMatcher from which on two names are alike. At its default, 0.6, a warmPool is pools."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of the known names that is most like `name`, whatever its case; None where none is."""
    by_lower = {each.lower(): each for each in known}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=ALIKE)
    return by_lower[found[0]] if found else None


def unknown_field(model: type, location: Location) -> str:
    """What to say of a field that a model does not have."""
    meant = nearest(str(location[-1]), names_at(model, location))
    return f"unknown field; did you mean {meant}?" if meant else "unknown field; remove it or correct its name"


def names_at(model: type, location: Location) -> tuple[str, ...]:
    """The fields that can be written beside the one at `location`; none where the place is not a model's."""
    kinds = [model]
    for part in location[:-1]:
        kinds = [each for kind in kinds for each in _below(kind, part)]
    return tuple(name for kind in kinds for name in _fields(kind))


def _fields(kind: Any) -> dict[str, Any]:
    """What can be written into a model or dataclass: its names, as users spell them, and their annotations."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        return {name: hint for name, hint in get_type_hints(kind).items() if not name.startswith("__")}
    return {}


def _below(kind: Any, part: int | str) -> list[Any]:
    fields = _fields(kind)
    if part in fields:
        return _opened(fields[str(part)])
    if fields:  # not one of its fields: the tag by which a union tells its members apart
        tag = kind.model_fields.get("kind") if hasattr(kind, "model_fields") else None
        return [kind] if tag is not None and tag.default == part else []
    inner = get_args(kind)
    return _opened(inner[-1] if get_origin(kind) is dict else inner[0]) if inner else []


def _opened(annotation: Any) -> list[Any]:
    """The kinds that an annotation allows, without what is said about them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _opened(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [kind for each in get_args(annotation) for kind in _opened(each)]
    return [annotation]
