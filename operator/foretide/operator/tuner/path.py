"""Where in an object a whole number stands: `spec.template.spec.containers[engine].args[--max-num-seqs]`.

A name follows a dot; `['a.key']` is a key with dots or slashes; `[0]` is a place of a list; `[engine]` the entry of a
list whose `name` it is; `[--flag]`, at the end only, an argument of a list of texts, as `--flag=8` or `--flag`, `8`.

What is NOT promised: JSONPath. There are no wildcards: a path names one place.
"""

import re
from dataclasses import dataclass

_PART = re.compile(
    r"(?P<dot>\.)?(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|\['(?P<key>[^'\[\]]{1,253})'\]"
    r"|\[(?P<index>[0-9]{1,3})\]"
    r"|\[(?P<flag>--?[A-Za-z0-9][A-Za-z0-9._-]*)\]"
    r"|\[(?P<entry>[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)\]"
)
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
"""A key that needs no quotes."""
LONGEST = 256
NEVER = ("status", "replicas", "securityContext", "ownerReferences", "finalizers", "kind", "apiVersion")
"""Names that no path may contain, wherever: what others own, or what a number must not be let loose on."""
EXAMPLE = "data['max-num-seqs'] or spec.template.spec.containers[engine].args[--max-num-seqs]"


@dataclass(frozen=True, slots=True)
class Key:
    """Of a mapping."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """Of a list."""

    place: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Of a list of mappings: the one with this `name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Flag:
    """Of a list of arguments."""

    name: str


Step = Key | Index | Entry | Flag
FieldPath = tuple[Step, ...]


def field_path(text: str) -> FieldPath:
    """The steps of a path. Raises ValueError with the fix."""
    steps = _steps(text)
    names = [step.name for step in steps if isinstance(step, Key)]
    if found := next((name for name in names if name in NEVER), None):
        raise ValueError(f"{text!r} leads through {found}, which the tuner never writes; name another field")
    if names[:1] == ["metadata"] and names[1:2] != ["annotations"]:
        raise ValueError(f"{text!r} is metadata, of which only annotations may be written; name another field")
    if any(isinstance(step, Flag) for step in steps[:-1]):
        raise ValueError(f"{text!r} goes on behind an argument; end with it, like {EXAMPLE}")
    return steps


def restarts(steps: FieldPath) -> bool:
    """Whether a change there makes a workload replace its pods, as far as a path tells."""
    return steps[:2] == (Key("spec"), Key("template"))


def told(path: FieldPath) -> str:
    """The path as users write it."""
    words = []
    for step in path:
        if isinstance(step, Key):
            words.append(f".{step.name}" if PLAIN.fullmatch(step.name) else f"['{step.name}']")
        else:
            words.append(f"[{step.place if isinstance(step, Index) else step.name}]")
    return "".join(words).removeprefix(".")


def _steps(text: str) -> FieldPath:
    steps: list[Step] = []
    at = 0
    while at < len(text) <= LONGEST:
        found = _PART.match(text, at)
        if found is None or (bool(found["name"]) and bool(found["dot"]) == (at == 0)):
            break
        steps.append(_step(found))
        at = found.end()
    if at != len(text) or not steps or text.startswith("["):
        raise ValueError(f"{text!r} is no field path; write it like {EXAMPLE}")
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["index"]:
        return Index(int(found["index"]))
    if found["flag"]:
        return Flag(found["flag"])
    if found["entry"]:
        return Entry(found["entry"])
    return Key(found["name"] or found["key"])
