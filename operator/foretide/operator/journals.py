"""Journals: where decisions are kept with their evidence. A file of JSON lines, or nowhere."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)
FULL = 64 * 2**20
"""Bytes after which a journal file becomes `.1`, over the one before."""


class FileJournal:
    """JSON lines. A disk that is full or gone costs records, never a decision."""

    keeps = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lost = 0

    def append(self, record: Mapping[str, Any]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > FULL:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, separators=(",", ":")) + "\n")
        except OSError as error:
            self._lost += 1
            if self._lost == 1:
                logger.warning("journal %s: %s; decisions go on without it", self._path, error.strerror)


class NoJournal:
    """Keeps nothing."""

    keeps = False

    def append(self, record: Mapping[str, Any]) -> None:
        pass
