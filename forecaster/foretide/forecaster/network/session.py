"""A network that may be served: an ONNX graph that was checked against its card before anything was asked of it.

Checked: size and hash, schema, names and shapes of inputs and output, the golden pair, finite numbers. What fails is
`Refused` with one line; whoever loads falls back to the ladder without a network.

What is NOT promised: the same bits on another processor. The golden pair is held within `TOLERANCE`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng

from foretide.forecaster.network.card import (
    NOISE,
    PATHS,
    TOLERANCE,
    Array,
    Card,
    Refused,
    read_card,
    read_checked,
)
from foretide.forecaster.network.features import RESOLUTIONS, Arrays
from foretide.forecaster.network.schema import HEADS, Schema, digest

CHUNK = 1
"""Workloads per call of the graph. Two at a time took 18 % less processor time per workload, but one that is asked
alone would pay for two."""
WINDOW_INPUTS = frozenset((*RESOLUTIONS, *(f"{name}_known" for name in RESOLUTIONS), "context", "calendar", "events"))
"""Names that `features.window` makes; a graph may leave some out."""


class Session:
    """A checked graph. Not to be used from two threads at a time."""

    def __init__(self, card: Card, schema: Schema, runner: Any) -> None:
        self.card, self.schema = card, schema
        self._runner = runner
        self._names = tuple(item.name for item in runner.get_inputs())

    @property
    def name(self) -> str:
        return self.card.name

    def drawn(self, arrays: Arrays, *, seeds: Sequence[int], count: int) -> Array:
        """Normalised paths (B, count, H, targets) of B workloads; workload b with the noise of seeds[b].

        The graph sees exactly `CHUNK` workloads at a time: the size of a matrix decides in which order its products
        are summed; with one size, each workload's bits depend on its own numbers alone. Raises Refused.
        """
        shape = (len(seeds), count, self.schema.horizon, len(self.schema.targets))
        drawn = np.empty(shape, dtype=np.float32)  # filled in place: parts beside their whole were twice the memory
        for first in range(0, len(seeds), CHUNK):
            mine = seeds[first : first + CHUNK]
            rows = np.minimum(np.arange(first, first + CHUNK), len(seeds) - 1)
            part = {name: arrays[name][rows] for name in self._names if name != NOISE}
            noise = noise_of([*mine, *[mine[-1]] * (CHUNK - len(mine))], count, self.schema)
            drawn[first : first + len(mine)] = self.paths(part, noise)[: len(mine)]
        return drawn

    def paths(self, arrays: Mapping[str, Array], noise: Array) -> Array:
        """Windows of B workloads and noise (B, K, H x targets) -> normalised paths (B, K, H, targets).

        Raises Refused where the graph cannot be run on them. Numbers that are not finite are the caller's to judge.
        """
        feeds = {name: noise if name == NOISE else arrays[name] for name in self._names}
        try:
            (paths,) = self._runner.run([PATHS], feeds)
        except Exception as error:  # the runtime has no common base for what it raises
            raise Refused(f"{self.name}: the graph fails to run ({_short(error)}); export it again") from error
        return np.asarray(paths, dtype=np.float32)


def opened(folder: Path, head: str, *, schema: Schema | None = None, threads: int = 1) -> Session:
    """The checked network of a head. `schema` is what it must have; None: that of the head. Raises Refused."""
    card = read_card(folder, head)
    found = card.typed_schema()
    wanted = schema or HEADS.get(head)
    if wanted is None or digest(found) != digest(wanted):
        raise Refused(f"{folder / head}.json: schema: is not that of head {head} in this version; export it again")
    graph = read_checked(folder, head, "onnx", card.onnx_sha256)
    session = Session(card, found, _runner(graph, folder / f"{head}.onnx", threads))
    _check_names(session)
    _check_golden(session)
    return session


def noise_of(seeds: Sequence[int], count: int, schema: Schema) -> Array:
    """Standard normal noise (B, count, H x targets), each workload's from its own seed in [0, 2^63)."""
    shape = (count, schema.dimensions)
    return np.stack([default_rng([seed, 0]).standard_normal(shape, dtype=np.float32) for seed in seeds])


def _runner(graph: bytes, path: Path, threads: int) -> Any:
    import onnxruntime  # 20 MB and half a second: only who serves a network pays

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False  # freed memory goes back: a sweep's peak is not kept between sweeps
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has no common base for what it raises
        raise Refused(f"{path}: is no graph that can be run ({_short(error)}); export it again") from error


def _check_names(session: Session) -> None:
    name, runner = session.name, session._runner  # noqa: SLF001 (one module)
    inputs, told = {item.name for item in runner.get_inputs()}, set(session.card.golden.inputs)
    if inputs != told:
        raise Refused(f"{name}: inputs: the graph has {_list(inputs)}, the card {_list(told)}; export it again")
    if NOISE not in inputs or not inputs <= WINDOW_INPUTS | {NOISE}:
        raise Refused(f"{name}: inputs: {_list(inputs - WINDOW_INPUTS - {NOISE})} unknown or no noise; export it again")
    outputs = [item.name for item in runner.get_outputs()]
    if outputs != [PATHS]:
        raise Refused(f"{name}: outputs: {_list(outputs)} instead of {PATHS}; export it again")


def _check_golden(session: Session) -> None:
    golden, schema = session.card.golden, session.schema
    try:
        arrays = {name: numbers.array() for name, numbers in golden.inputs.items()}
        wanted = golden.paths.array()
    except ValueError as error:
        raise Refused(f"{session.name}: golden: {_short(error)}; export it again") from error
    shape = (*arrays[NOISE].shape[:2], schema.horizon, len(schema.targets))
    if wanted.shape != shape or arrays[NOISE].shape[2:] != (schema.dimensions,) or not wanted.size:
        raise Refused(f"{session.name}: golden: paths have shape {wanted.shape} instead of {shape}; export it again")
    found = session.paths(arrays, arrays[NOISE])
    if found.shape != shape or not np.isfinite(found).all():
        raise Refused(f"{session.name}: golden: the graph's answer is not finite or of another shape; export it again")
    worst = float(np.abs(found - wanted).max())
    if not worst <= TOLERANCE:
        raise Refused(f"{session.name}: golden: the answer is {worst:.2g} away from the card's; export it again")


def _list(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
