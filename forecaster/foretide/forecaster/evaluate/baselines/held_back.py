"""What the networks of other libraries share: rows held back to stop their training, and silence.

Trained to the last step they learn short records by heart. So the newest 15 % of the training rows teach nothing; the
weights that forecast those best are kept, and training ends when they have not improved for a while.

What is NOT promised: that the held-back rows teach in the end. Nobody is fitted again on all rows.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

HELD_BACK = 0.15
WINDOWS = 128
"""Windows of the held-back rows on which a network is judged, evenly spread."""


def split_of(rows: int, *, horizon: int) -> int:
    """How many of the training rows are learned from; at least one horizon is held back. ValueError: too few rows."""
    split = min(round((1 - HELD_BACK) * rows), rows - horizon)
    if split <= horizon:
        raise ValueError(f"{rows} training rows are too few to hold any back at a horizon of {horizon}")
    return split


def ends_held(rows: int, *, horizon: int) -> list[int]:
    """Ends of windows whose whole horizon lies in the held-back rows, ascending."""
    first = split_of(rows, horizon=horizon) + horizon
    ends = np.linspace(first, rows, min(WINDOWS, rows - first + 1)).round().astype(np.int64)
    return [int(end) for end in np.unique(ends)]


@contextmanager
def quiet() -> Iterator[None]:
    """The libraries announce their devices and deprecations at length."""
    levels = {name: logging.getLogger(name).level for name in ("lightning.pytorch", "pytorch_lightning", "gluonts")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
