"""Which target a ScaledObject asks about: its trigger's metadata, checked, or one line with field, value and fix."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from foretide.operator.seams import Key

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
AUTOSCALER, POOL = "autoscaler", "pool"
METRIC = "desired-replicas"
"""The one metric that KEDA is given."""
SHOWN = 80


@dataclass(frozen=True, slots=True)
class Asked:
    key: Key
    pool: str
    """Empty where none was named."""


class BadMetadata(ValueError):
    """Metadata that names no target, in one line."""


def asked(namespace: str, metadata: Mapping[str, str]) -> Asked:
    """What is asked about. Raises BadMetadata."""
    if not NAME.fullmatch(namespace):
        raise BadMetadata(f"namespace: {_shown(namespace)}: the namespace of a ScaledObject was expected")
    if AUTOSCALER not in metadata:
        near = next((key for key in metadata if key.lower() == AUTOSCALER), "")
        fix = f"write it instead of {_shown(near)}" if near else "add the name of an InferenceAutoscaler beside it"
        raise BadMetadata(f"{AUTOSCALER}: missing from the trigger's metadata: {fix}")
    name, pool = metadata[AUTOSCALER], metadata.get(POOL, "")
    if not NAME.fullmatch(name):
        fix = "write the name of an InferenceAutoscaler of the ScaledObject's namespace, like llama"
        raise BadMetadata(f"{AUTOSCALER}: {_shown(name)}: {fix}")
    if POOL in metadata and not NAME.fullmatch(pool):
        raise BadMetadata(f"{POOL}: {_shown(pool)}: write the name of one of its pools, or leave it out")
    return Asked(Key(namespace, name), pool)


def _shown(value: str) -> str:
    """Printable, short, never empty: it goes back over the wire and into KEDA's log."""
    clean = "".join(char if char.isprintable() else " " for char in value[:SHOWN])
    return clean.strip() or "(empty)"
