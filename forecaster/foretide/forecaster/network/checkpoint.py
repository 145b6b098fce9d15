"""The state of a training run on disk: safetensors for numbers, JSON for the rest, so that no file can run code.

What is NOT promised: that a state outlives a change of the network's shape. It is refused then, by name.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foretide.forecaster.network.model import Network

STATE, NUMBERS = "state.json", "state.safetensors"


class BadState(ValueError):
    """The folder holds the state of another run; the message says what differs and what to do."""


@dataclass(frozen=True, slots=True)
class Best:
    """The checkpoint that was picked: its step, and its choice score, in scales of a window."""

    step: int
    score: float


@dataclass(slots=True)
class Progress:
    """How far a run is, and its best weights so far."""

    step: int
    best: Best
    weights: dict[str, Tensor]


def save_state(
    folder: Path, network: Network, optimiser: torch.optim.Optimizer, progress: Progress, *, run: Mapping[str, Any]
) -> None:
    """Writes the state, numbers first: a run cut off in between starts again from the state before.

    `run` is what must be the same for a run to be the same, as JSON has it.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    numbers = {f"now.{name}": tensor for name, tensor in network.state_dict().items()}
    numbers |= {f"best.{name}": tensor for name, tensor in progress.weights.items()}
    numbers |= _moments(optimiser)
    name = f"{progress.step:08d}.{NUMBERS}"
    save_file({key: tensor.detach().cpu().contiguous() for key, tensor in numbers.items()}, folder / name)
    state = {"numbers": name, "step": progress.step, "best": asdict(progress.best), "run": dict(run)}
    whole = folder / f"{STATE}.new"
    whole.write_text(json.dumps(state, indent=1))
    whole.replace(folder / STATE)
    for old in folder.glob(f"*.{NUMBERS}"):
        if old.name != name:
            old.unlink()


def load_state(
    folder: Path, network: Network, optimiser: torch.optim.Optimizer, *, run: Mapping[str, Any]
) -> Progress | None:
    """Puts a kept state into network and optimiser; None where there is none. Raises BadState on another run's."""
    from safetensors.torch import load_file

    if not (folder / STATE).exists():
        return None
    state = json.loads((folder / STATE).read_text())
    differing = [key for key, value in run.items() if state["run"].get(key) != value]
    if differing:
        raise BadState(f"{folder} holds a run with another {', '.join(differing)}: name another folder or delete it")
    numbers = load_file(folder / state["numbers"])
    network.load_state_dict({name: numbers[f"now.{name}"] for name in network.state_dict()})
    _set_moments(optimiser, numbers)
    weights = {name: numbers[f"best.{name}"] for name in network.state_dict()}
    return Progress(int(state["step"]), Best(**state["best"]), weights)


def _moments(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"optimiser.{index}.{name}": value
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def _set_moments(optimiser: torch.optim.Optimizer, numbers: dict[str, Tensor]) -> None:
    kept = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in numbers.items():
        if key.startswith("optimiser."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({**kept, "state": state})
