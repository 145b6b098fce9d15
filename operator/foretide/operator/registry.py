"""Which InferenceAutoscalers exist, from watch events and the periodic relist.

A bad edit never takes the last accepted spec out of force; it is reported beside it. What the relist finds different
from what the watch told is counted: the proof that the watch works, or that it does not.

What is NOT promised: order. Events and relists may cross; an older resourceVersion of the same generation is harmless.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from foretide.operator.resource import Parsed, Resource, parse
from foretide.operator.seams import Body, Key


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource: the spec in force, if any was ever acceptable, and what is wrong with the newest one."""

    key: Key
    uid: str
    generation: int
    resource: Resource | None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    """The status as the API server last showed it: what a new life resumes from."""


class Registry:
    """Keyed entries. Synchronous, and used from one event loop only."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self.divergences = 0

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries[key] for key in sorted(self._entries))

    def get(self, key: Key) -> Entry | None:
        return self._entries.get(key)

    def see(self, body: Body) -> bool:
        """Takes in a resource as it is now; True when its spec, or its pause, is news."""
        parsed = parse(body)
        key, uid, generation = _identity(body)
        before = self._entries.get(key)
        if before is not None and before.uid != uid:
            before = None
        if before is not None and generation < before.generation:
            return False
        entry = Entry(
            key,
            uid,
            generation,
            parsed.resource or (before.resource if before else None),
            parsed.problems,
            (*parsed.warnings, *_ignored_fields(body)),
            body.get("status") or {},
        )
        self._entries[key] = entry
        return before is None or _news(before, entry)

    def forget(self, key: Key) -> None:
        self._entries.pop(key, None)

    def reconcile(self, bodies: Iterable[Body]) -> tuple[Key, ...]:
        """Takes in a whole list; returns the keys on which the watch had told something else, or nothing."""
        listed = {_identity(body)[0]: body for body in bodies}
        gone = tuple(key for key in self._entries if key not in listed)
        for key in gone:
            self.forget(key)
        changed = tuple(key for key, body in listed.items() if self.see(body))
        self.divergences += len(gone) + len(changed)
        return (*gone, *changed)


def _news(before: Entry, after: Entry) -> bool:
    return before.generation != after.generation or _asked(before) != _asked(after)


def _asked(entry: Entry) -> Resource | None:
    """What its owner wants. The limit in force comes from the status: the next plan is soon enough for it."""
    return replace(entry.resource, limit=None) if entry.resource is not None else None


def _identity(body: Body) -> tuple[Key, str, int]:
    meta = body.get("metadata") or {}
    key = Key(meta.get("namespace") or "default", meta.get("name") or "")
    return key, str(meta.get("uid") or ""), int(meta.get("generation") or 0)


def _ignored_fields(body: Body) -> tuple[str, ...]:
    """Unknown fields that the API server pruned and only kubectl's annotation still shows."""
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    try:
        applied = json.loads(annotations.get("kubectl.kubernetes.io/last-applied-configuration", "null"))
    except (TypeError, ValueError, RecursionError):
        return ()
    parsed: Parsed | None = parse(applied) if isinstance(applied, dict) else None
    return parsed.warnings if parsed else ()
