"""How an artifact gets to where it is served: checked as whoever loads it would, then moved in, the card last.

A reader that comes in between finds an old card beside a new graph, refuses it by its hash, and looks again.

What is NOT promised: both heads at one moment. Each head is moved on its own.
"""

import os
from pathlib import Path
from tempfile import mkdtemp

from foretide.forecaster.network.session import Session, opened

PARTS = ("safetensors", "onnx", "json")
"""In the order in which they are moved."""


def staging(folder: Path) -> Path:
    """A new folder beside the files that will be replaced, on the same file system."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(mkdtemp(prefix=".staging-", dir=folder))


def published(staged: Path, folder: Path, head: str) -> Session:
    """The checked network of `head`, whose files now lie in `folder`. Raises Refused, and then nothing was moved."""
    session = opened(staged, head)
    for part in PARTS:
        name = f"{head}.{part}"
        with (staged / name).open("rb") as file:
            os.fsync(file.fileno())
        (staged / name).replace(folder / name)
    return session
