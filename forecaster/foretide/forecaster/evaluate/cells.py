"""Cells of a comparison, one JSON file per series and model under the same terms, so that a run can stop and go on.

What is NOT promised: that a cell is still right when a model's code has changed. Delete the folder then.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foretide.forecaster.evaluate.protocol import Protocol


@dataclass(frozen=True, slots=True)
class Cells:
    """Files under `folder`, named by series, model and a hash of `terms`: all that changes what a cell says."""

    folder: Path
    terms: Mapping[str, Any]

    def path(self, *, group: str, model: str) -> Path:
        known = json.dumps({"group": group, "model": model, **self.terms}, sort_keys=True, default=str)
        digest = hashlib.sha256(known.encode()).hexdigest()[:10]
        return self.folder / f"{_plain(group)}--{_plain(model)}--{digest}.json"

    def read(self, *, group: str, model: str) -> dict[str, Any] | None:
        """The cell as it was written; None where it was not, or not to its end."""
        try:
            found = json.loads(self.path(group=group, model=model).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) and "figures" in found else None

    def write(self, cell: Mapping[str, Any]) -> None:
        """Whole or not at all: the file appears under its name when it is complete."""
        path = self.path(group=cell["group"], model=cell["model"])
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half")
        half.write_text(json.dumps(cell), encoding="utf-8")
        half.replace(path)


def terms_of(protocol: Protocol, **more: Any) -> dict[str, Any]:
    """The terms that make two cells comparable."""
    return {**asdict(protocol), **more}


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:60]
