"""A whole number in an object: how it is read, and the JSON patch (RFC 6902) that changes it and nothing else. Pure.

The patch tests, before it replaces, that the object is the one that was read, that every list entry on the way still
has its name, and that the number is still the one that was read: whoever wrote it in between wins, and we stop.

The field holds the number alone, as a number or as text ("256"), or a text of which a pattern says where it stands.
What is NOT promised: that the text around it is understood. A comment that reads like the pattern counts as well, and
a pattern that fits twice is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from foretide.operator.tuner.path import Entry, FieldPath, Flag, Index, Key, Step, told
from foretide.operator.tuner.pattern import Pattern

Body = Mapping[str, Any]
Patch = list[dict[str, Any]]
LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a field cannot be a knob: what was found there, and the fix."""

    text: str


@dataclass(frozen=True, slots=True)
class _Found:
    pointer: str
    value: Any
    names: tuple[tuple[str, str], ...]
    """Pointers to the names of list entries on the way, and those names."""
    before: str = ""
    """What stands before the number in one text: `--max-num-seqs=`."""
    after: str = ""


def read(body: Body, path: FieldPath, pattern: Pattern | None = None) -> int | Refusal:
    """The number there."""
    found = _within(_found(body, path), path, pattern)
    return found if isinstance(found, Refusal) else _number(found, path)


def patch(body: Body, path: FieldPath, value: int, pattern: Pattern | None = None) -> Patch | Refusal:
    """What makes it `value`, written in the way in which it is written now."""
    found = _within(_found(body, path), path, pattern)
    if isinstance(found, Refusal):
        return found
    if isinstance(now := _number(found, path), Refusal):
        return now
    tests = [{"op": "test", "path": pointer, "value": name} for pointer, name in found.names]
    if uid := (body.get("metadata") or {}).get("uid"):
        tests.insert(0, {"op": "test", "path": "/metadata/uid", "value": uid})
    written = value if isinstance(found.value, int) else f"{found.before}{value}{found.after}"
    return [
        *tests,
        {"op": "test", "path": found.pointer, "value": found.value},
        {"op": "replace", "path": found.pointer, "value": written},
    ]


def _number(found: _Found, path: FieldPath) -> int | Refusal:
    value = found.value
    text = value[len(found.before) : len(value) - len(found.after)] if isinstance(value, str) else value
    if isinstance(text, bool) or not (isinstance(text, int) or (isinstance(text, str) and text.isascii())):
        return Refusal(f"{told(path)} holds no whole number; name a field that does")
    if isinstance(text, str) and not (text.isdecimal() and str(int(text)) == text):
        return Refusal(f"{told(path)} holds {text[:40]!r}, not a whole number; name a field that does")
    number = int(text)
    if not 1 <= number <= LARGEST:
        return Refusal(f"{told(path)} holds {number}, which is no limit to tune; set it to one of at least 1 first")
    return number


def _found(body: Body, path: FieldPath) -> _Found | Refusal:
    value: Any = body
    pointer, names = "", []
    for step in path:
        place = _place(value, step)
        if place is None:
            there = f"; there are {', '.join(_there(value))}" if _there(value) else ""
            return Refusal(f"{told(path)}: there is no {told((step,))}{there}; correct the path")
        if isinstance(step, Entry):
            names.append((f"{pointer}/{place}/name", step.name))
        pointer, value = f"{pointer}/{_escaped(place)}", value[place]
        if isinstance(step, Flag):
            return _Found(pointer, value, tuple(names), _before_the_number(value, step))
    return _Found(pointer, value, tuple(names))


def _within(found: _Found | Refusal, path: FieldPath, pattern: Pattern | None) -> _Found | Refusal:
    """The number that a pattern shows in the text there."""
    if pattern is None or isinstance(found, Refusal):
        return found
    if not isinstance(found.value, str):
        return Refusal(f"{told(path)} holds no text; leave the pattern out, or name a field that does")
    places = pattern.places(found.value)
    if len(places) != 1:
        fix = "write it as it stands there" if not places else "write more of the text around the number"
        return Refusal(f"{told(path)}: {pattern} fits {len(places)} times in its text; {fix}")
    start, end = places[0]
    return replace(found, before=found.value[:start], after=found.value[end:])


def _place(value: Any, step: Step) -> str | int | None:
    """The key or index below `value`; None where there is none."""
    if isinstance(step, Key):
        return step.name if isinstance(value, Mapping) and step.name in value else None
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    if isinstance(step, Index):
        return step.place if step.place < len(value) else None
    if isinstance(step, Entry):
        return next(
            (i for i, one in enumerate(value) if isinstance(one, Mapping) and one.get("name") == step.name), None
        )
    return _argument(value, step)


def _argument(value: Sequence[Any], step: Flag) -> int | None:
    """Of two that name the flag the last counts, as argument parsers have it."""
    for i in reversed(range(len(value))):
        if isinstance(value[i], str) and value[i].startswith(f"{step.name}="):
            return i
        if value[i] == step.name and i + 1 < len(value):
            return i + 1
    return None


def _before_the_number(value: str, step: Flag) -> str:
    return f"{step.name}=" if value.startswith(f"{step.name}=") else ""


def _there(value: Any) -> list[str]:
    """What could have been meant, by name."""
    if isinstance(value, Mapping):
        return sorted(map(str, value))[:8]
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return [str(one["name"]) for one in entries if isinstance(one, Mapping) and "name" in one][:8]


def _escaped(place: str | int) -> str:
    """As a part of a JSON pointer (RFC 6901)."""
    return str(place).replace("~", "~0").replace("/", "~1")
