"""The state of a training run on disk: safetensors for numbers, JSON for the rest, so that no file can run code.

What is NOT promised: that a state outlives a change of the network's shape. It is refused then, by name.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from foretide.forecaster.network.model import Network, fields_of
from foretide.forecaster.network.schema import digest

if TYPE_CHECKING:
    from foretide.forecaster.network.train import Settings

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
    folder: Path, network: Network, optimiser: torch.optim.Optimizer, settings: "Settings", progress: Progress
) -> None:
    """Writes the state, numbers first: a run cut off in between starts again from the state before."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    numbers = {f"now.{name}": tensor for name, tensor in network.state_dict().items()}
    numbers |= {f"best.{name}": tensor for name, tensor in progress.weights.items()}
    numbers |= _moments(optimiser)
    name = f"{progress.step:08d}.{NUMBERS}"
    save_file({key: tensor.detach().cpu().contiguous() for key, tensor in numbers.items()}, folder / name)
    state = {"numbers": name, "step": progress.step, "best": asdict(progress.best), "run": _run(network, settings)}
    whole = folder / f"{STATE}.new"
    whole.write_text(json.dumps(state, indent=1))
    whole.replace(folder / STATE)
    for old in folder.glob(f"*.{NUMBERS}"):
        if old.name != name:
            old.unlink()


def load_state(
    folder: Path, network: Network, optimiser: torch.optim.Optimizer, settings: "Settings"
) -> Progress | None:
    """Puts a kept state into network and optimiser; None where there is none. Raises BadState on another run's."""
    from safetensors.torch import load_file

    if not (folder / STATE).exists():
        return None
    state = json.loads((folder / STATE).read_text())
    differing = [key for key, value in _run(network, settings).items() if state["run"].get(key) != value]
    if differing:
        raise BadState(f"{folder} holds a run with another {', '.join(differing)}: name another folder or delete it")
    numbers = load_file(folder / state["numbers"])
    network.load_state_dict({name: numbers[f"now.{name}"] for name in network.state_dict()})
    _set_moments(optimiser, numbers)
    weights = {name: numbers[f"best.{name}"] for name in network.state_dict()}
    return Progress(int(state["step"]), Best(**state["best"]), weights)


def _run(network: Network, settings: "Settings") -> dict[str, Any]:
    """What must be the same for a run to be the same."""
    return {"schema": digest(network.schema), "config": fields_of(network.config), "settings": asdict(settings)}


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
