"""What the commands that train have in common: input checked before anything starts, trouble told in one line.

NOT promised: that torch is there. `needs_training` says what to install where it is not.
"""

import ctypes
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.cli.problems import BadInput

if TYPE_CHECKING:
    from foretide.forecaster.network.examples import Workload
    from foretide.forecaster.network.schema import Schema
    from foretide.forecaster.network.train import Settings
    from foretide.forecaster.network.tune import Tuned
    from foretide.policies.flow import Floats

NEEDED = ("torch", "nflows", "safetensors", "onnx", "onnxscript")
INSTALL = "install the extra: pip install 'foretide[train]'"
CHECKS = 10
"""How often a run looks at the rows held back, and keeps its state."""
HELD = 512
"""Windows of them, at most: with more, looking would take longer than learning."""

THREADS = 1
"""Of torch. So small a network's threads mostly wait for each other, which costs processor time all the same: on a
busy machine two took five times as much of it as one. It also makes the outcome independent of the number of cores."""
MMAP_THRESHOLD, LARGE = -3, 2**20
"""glibc's M_MMAP_THRESHOLD (malloc.h), and from how many bytes on a tensor's memory goes back as soon as it is freed.
Left alone glibc raises it to 32 MB by itself, and keeps what a step has freed."""


def needs_training(packages: Sequence[str] = NEEDED) -> None:
    """Raises BadInput where the extra `train` is not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise BadInput(field="training", value=f"{missing[0]} is missing", fix=INSTALL)


def head_of(head: str) -> "Schema":
    from foretide.forecaster.network.schema import HEADS

    if head not in HEADS:
        raise BadInput(field="--head", value=head, fix=f"use one of {', '.join(HEADS)}")
    return HEADS[head]


def settings_of(*, steps: int, batch: int, rate: float, seed: int) -> "Settings":
    from foretide.forecaster.network.train import Settings

    every = max(1, steps // CHECKS)
    return Settings(steps=steps, batch=batch, rate=rate, seed=seed, check_every=every, check_windows=HELD)


def workload_of(name: str, values: "Floats", *, step_s: float, start_s: float, schema: "Schema") -> "Workload":
    """Demand (T, 3) on the head's grid. Raises BadInput where its step does not divide the head's."""
    from foretide.forecaster.network.examples import Workload
    from foretide.forecaster.network.features import regrid

    try:
        rows = regrid(values, step_s, schema.step_s)
    except ValueError as error:
        raise BadInput(field="--series", value=name, fix=f"{error}; use a step that divides it") from error
    return Workload(name, rows, start_s + (len(values) * step_s - len(rows) * schema.step_s))


def trained(
    workload: "Workload",
    schema: "Schema",
    settings: "Settings",
    *,
    start: Path | None,
    out: Path,
    report: Callable[[int, float, float], None],
    state: Path | None = None,
    fields: tuple[str, str] = ("--series", "--from"),
) -> "Tuned":
    """`network.tune.tuned`, its refusals told by the options that hold history and start. Raises BadInput."""
    import torch

    from foretide.forecaster.network.card import Refused
    from foretide.forecaster.network.checkpoint import BadState
    from foretide.forecaster.network.export import TooLarge
    from foretide.forecaster.network.tune import TooShort, tuned

    torch.set_num_threads(THREADS)
    _gives_memory_back()
    try:
        return tuned(workload, schema, settings, start=start, out=out, state=state, report=report)
    except TooShort as error:
        raise BadInput(field=fields[0], value=workload.name, fix=str(error)) from error
    except BadState as error:
        raise BadInput(field="--out", value=out, fix=str(error)) from error
    except TooLarge as error:
        raise BadInput(field="--rate", value=settings.rate, fix=str(error)) from error
    except Refused as error:
        raise BadInput(field=fields[1], value=start, fix=str(error)) from error


def _gives_memory_back() -> None:
    """Where the C library is glibc; elsewhere nothing happens."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGE)
