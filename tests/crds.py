"""Kinds of custom resources on the bed: there once the API server serves them."""

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import wait_for


def established(bed: Bed, *names: str) -> None:
    """Waits until the API server serves these definitions.

    `kubectl wait` ends with an error where it looks before the definition has a status.
    """
    for name in names:
        wait_for(lambda name=name: _served(bed, name), what=f"crd {name}")  # type: ignore[misc]


def _served(bed: Bed, name: str) -> bool:
    conditions = (bed.get("crd", name).get("status") or {}).get("conditions") or ()
    return any(found["type"] == "Established" and found["status"] == "True" for found in conditions)
