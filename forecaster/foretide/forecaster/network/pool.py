"""Many workloads, one network: windows are put together, run in chunks of one size, and each caller reads its part.

    asks -> windows -> graph, in batches -> paths on each workload's own grid

Noise comes from each ask's own seed, and the graph only ever sees chunks of one size (see `session`): what a workload
is answered does not depend on who else is asked for. What was prefetched is kept, in the graph's own float32, until it
is read or forgotten.

What is NOT promised: an answer. A graph that fails, or answers with what is no number, is None for those it concerns;
the reason is kept in `trouble`, and the ladder goes on without this tier.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol
from zlib import crc32

import numpy as np
from numpy.random import default_rng

from foretide.forecaster.network.card import Array, Refused
from foretide.forecaster.network.features import Arrays, Frame, to_demand, window_of_pasts
from foretide.forecaster.network.heads import needed_heads, on_grid
from foretide.forecaster.network.schema import Schema
from foretide.forecaster.past import Flags, Past
from foretide.policies.flow import Floats

BATCH = 64
"""Workloads that a runner is asked for at once."""
NEEDED_ROWS = 5
"""Measured steps of a head's grid, within its newest rows, before it is asked."""
LARGEST_SEED = 2**63
_Mark = tuple[float, float, int, int, int]


class Runner(Protocol):
    """What answers for one head: a graph in this process, or a service elsewhere."""

    @property
    def schema(self) -> Schema: ...

    @property
    def name(self) -> str: ...

    def drawn(self, arrays: Arrays, *, seeds: Sequence[int], count: int) -> Array:
        """Normalised paths (B, count, H, targets); workload b with the noise of seeds[b]. Raises Refused."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One workload's question. `key` says whose it is; `seed` in [0, 2^63) decides its noise."""

    key: str
    past: Past
    horizon: int
    count: int
    seed: int

    @property
    def mark(self) -> _Mark:
        """What a prefetched answer must have been made for."""
        return (self.past.end, self.past.step, crc32(self.past.known.tobytes()), self.count, self.seed)


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    mark: _Mark
    paths: Array
    frame: Frame


class Pool:
    """The heads of a network for all workloads of a process. May be used from several threads."""

    def __init__(self, runners: Iterable[Runner]) -> None:
        self._runners = {runner.schema.head: runner for runner in runners}
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._lock = Lock()
        self.trouble: dict[str, str] = {}
        """By head, why its last answer was not used, in words; empty after a good one."""
        self.read_ahead = 0
        """Answers that had been prefetched."""

    def serve(self, runners: Iterable[Runner]) -> None:
        """Exchanges the heads; what was prefetched from the old ones is dropped."""
        with self._lock:
            self._runners = {runner.schema.head: runner for runner in runners}
            self._kept, self.trouble = {}, {}

    @property
    def schemas(self) -> tuple[Schema, ...]:
        return tuple(runner.schema for runner in self._runners.values())

    @property
    def name(self) -> str:
        """Which network this is; the same for all heads of one training."""
        return ", ".join(dict.fromkeys(runner.name for runner in self._runners.values())) or "none"

    def prefetch(self, asks: Sequence[Ask]) -> None:
        """Runs the graphs for all asks, and keeps what they answer until it is read, or the key is asked again."""
        for head, group in self._by_head(asks).items():
            for ask, kept in zip(group, self._run(head, group), strict=True):
                if kept is not None:
                    self._kept[ask.key, head] = kept

    def forget(self, keys: Iterable[str]) -> None:
        """Drops what was prefetched for these keys and not read."""
        gone = set(keys)
        self._kept = {place: kept for place, kept in self._kept.items() if place[0] not in gone}

    def answer(self, ask: Ask) -> Floats | None:
        """Joint paths (count, horizon, 3) on the past's grid, finite, not negative; None where no head can answer."""
        heads = needed_heads(self.schemas, step=ask.past.step, horizon=ask.horizon)
        if not heads or not all(speaks(ask.past, head) for head in heads):
            return None
        drawn: dict[str, Floats] = {}
        for head in heads:
            kept = self._read(ask, head.head)
            if kept is None:
                return None
            drawn[head.head] = to_demand(kept.paths[None], kept.frame, head)[0]
        return on_grid(drawn, heads, past=ask.past, horizon=ask.horizon, rng=default_rng([ask.seed, 1]))

    def _by_head(self, asks: Sequence[Ask]) -> Mapping[str, list[Ask]]:
        groups: dict[str, list[Ask]] = {}
        for ask in asks:
            for head in needed_heads(self.schemas, step=ask.past.step, horizon=ask.horizon):
                if speaks(ask.past, head):
                    groups.setdefault(head.head, []).append(ask)
        return groups

    def _read(self, ask: Ask, head: str) -> _Kept | None:
        kept = self._kept.get((ask.key, head))
        if kept is not None and kept.mark == ask.mark:
            del self._kept[ask.key, head]
            self.read_ahead += 1
            return kept
        return self._run(head, [ask])[0]

    def _run(self, head: str, asks: Sequence[Ask]) -> list[_Kept | None]:
        """What the head's graph answers to each; None where it fails or where what it answers is no number."""
        found: dict[int, _Kept | None] = {}
        for count in {ask.count for ask in asks}:
            places = [place for place, ask in enumerate(asks) if ask.count == count]
            for first in range(0, len(places), BATCH):
                part = places[first : first + BATCH]
                found |= zip(part, self._run_batch(head, [asks[place] for place in part], count), strict=True)
        return [found[place] for place in range(len(asks))]

    def _run_batch(self, head: str, asks: Sequence[Ask], count: int) -> list[_Kept | None]:
        runner = self._runners[head]
        seen = window_of_pasts([ask.past for ask in asks], runner.schema)
        try:
            with self._lock:
                paths = runner.drawn(seen.arrays, seeds=[ask.seed for ask in asks], count=count)
        except Refused as error:
            self.trouble[head] = str(error)
            return [None] * len(asks)
        sound: Flags = np.asarray(np.isfinite(paths).all(axis=(1, 2, 3)))
        self.trouble[head] = "" if sound.all() else f"{runner.name}: answers that are no numbers; train it again"
        return [
            _Kept(ask.mark, paths[i], Frame(*(part[i : i + 1] for part in _parts(seen.frame)))) if sound[i] else None
            for i, ask in enumerate(asks)
        ]


def speaks(past: Past, head: Schema) -> bool:
    """Whether enough of the head's newest rows was measured for it to be asked."""
    factor = round(head.step_s / past.step)
    rows = past.known[-head.windows.recent * factor :]
    return bool(np.isfinite(rows[:, 0]).sum() >= NEEDED_ROWS * factor)


def _parts(frame: Frame) -> tuple[Floats, Floats, Floats]:
    return frame.unit, frame.location, frame.scale
