"""Which model was asked for in which minute. Inside a minute requests are taken to be evenly spread (reconstructed)."""

from dataclasses import dataclass
from math import ceil
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foretide.policies.service import Floats
from foretide.policies.warm.hold import MINUTE_S
from foretide.policies.warm.idle import Whole


class BadCalls(ValueError):
    """The column, what is wrong with it, and the fix."""


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """Requests of F models in M minutes."""

    names: tuple[str, ...]
    counts: Whole
    """(F, M)."""

    def only(self, keep: NDArray[np.bool_]) -> "Calls":
        return Calls(tuple(name for name, kept in zip(self.names, keep, strict=True) if kept), self.counts[keep])

    def half(self, odd: bool) -> "Calls":
        """Those whose name's CRC-32 is odd, or the others: development and acceptance data that share no model."""
        return self.only(np.array([bool(crc32(name.encode()) % 2) == odd for name in self.names]))

    @classmethod
    def of_table(cls, table: pd.DataFrame, *, name: str, minute: str, count: str | None = None) -> "Calls":
        """A row for each model and minute, or without `count` one for each request. Raises BadCalls."""
        for column in (name, minute, *([count] if count else [])):
            if column not in table:
                raise BadCalls(f"{column}: no such column: the file has {', '.join(map(str, table.columns))}")
        who, names = pd.factorize(table[name].astype(str), sort=True)
        at = table[minute].to_numpy(np.int64)
        if len(at) == 0 or at.min() < 0:
            raise BadCalls(f"{minute}: {'nothing' if len(at) == 0 else at.min()}: give minutes from 0 on")
        counts = np.zeros((len(names), int(at.max()) + 1), dtype=np.int64)
        np.add.at(counts, (who, at), table[count].to_numpy(np.int64) if count else 1)
        return cls(tuple(map(str, names)), counts)


def waiting(counts: Whole, *, who: Whole, minute: int, wake_s: float) -> tuple[Floats, Floats]:
    """(requests, seconds): how many of each of these models' requests come before a start that the first request of the
    minute sets off has ended, and how long they wait in all.

    `counts` (F, M) must have requests of `who` in that minute.
    """
    first = MINUTE_S / counts[who, minute] / 2.0
    requests, seconds = np.zeros(len(who)), np.zeros(len(who))
    for later in range(ceil((wake_s + MINUTE_S / 2.0) / MINUTE_S)):
        if minute + later == counts.shape[1]:
            break
        came = counts[who, minute + later]
        every = MINUTE_S / np.maximum(came, 1)
        left = first + wake_s - later * MINUTE_S
        caught = np.clip(np.ceil(left / every - 0.5), 0, came)
        requests += caught
        seconds += caught * left - every * caught**2 / 2.0
    return requests, seconds
