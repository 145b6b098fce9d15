"""Fitting a network: AdamW under one cycle of the learning rate, the checkpoint picked by what the product is for.

Seeded: what a step draws depends on the seed and the step alone, so that a resumed run goes on where it stopped. The
state is written as safetensors and JSON; nothing is pickled.

What is NOT promised: the same bits on another device or another build of torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from foretide.forecaster.network.checkpoint import Best, Progress, load_state, save_state
from foretide.forecaster.network.examples import Examples
from foretide.forecaster.network.loss import ENERGY, PATHS, choice_score, training_loss
from foretide.forecaster.network.model import Network, fields_of
from foretide.forecaster.network.schema import digest

Batch = Mapping[str, Tensor]
Report = Callable[[int, float, float], None]
"""Called after each check with the step, the mean training loss since the last, and the choice score."""


def silent(step: int, loss: float, score: float) -> None:
    """Reports nothing."""


AT_ONCE = 32
"""Windows that a check answers in one pass; it bounds what the bins of their splines take."""
JITTER = 0.02
"""Scales by which outcomes are jittered: counts and constants have no density (dequantisation)."""


@dataclass(frozen=True, slots=True)
class Settings:
    steps: int = 2000
    batch: int = 192
    rate: float = 2e-3
    warmup: float = 0.15
    decay: float = 1e-2
    clip: float = 1.0
    energy: float = ENERGY
    paths: int = PATHS
    """Paths of which the energy score is taken at each step: most of a step's time goes into them."""
    check_every: int = 100
    check_paths: int = 64
    check_windows: int = 2048
    seed: int = 0


def fit(
    network: Network,
    train: Examples,
    valid: Examples,
    settings: Settings,
    *,
    folder: Path | None = None,
    report: Report = silent,
) -> Best:
    """Trains in place, ends with the best checkpoint's weights, and returns its step and score.

    `folder` is where the state is kept and, when it holds one of the same settings, resumed from. Raises
    checkpoint.BadState where it holds another run's.
    """
    device = next(network.parameters()).device
    data, check = _on(device, train), _on(device, valid, limit=settings.check_windows)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.decay, fused=True)
    run = _run(network, train, valid, settings) if folder else {}
    progress = load_state(folder, network, optimiser, run=run) if folder else None
    if progress is None:
        progress = Progress(0, Best(0, _checked(network, check, settings)), _copy(network))
    total, since = 0.0, 0
    for step in range(progress.step, settings.steps):
        total, since = total + _step(network, optimiser, data, settings, step), since + 1
        if (step + 1) % settings.check_every == 0 or step + 1 == settings.steps:
            score = _checked(network, check, settings)
            if score < progress.best.score:
                progress.best, progress.weights = Best(step + 1, score), _copy(network)
            progress.step = step + 1
            report(step + 1, float(total) / since, score)
            total, since = 0.0, 0
            if folder:
                save_state(folder, network, optimiser, progress, run=run)
    network.load_state_dict(progress.weights)
    network.eval()
    return progress.best


def score_of(network: Network, examples: Examples, settings: Settings) -> float:
    """The choice score of a network on examples, as `fit` computes it."""
    device = next(network.parameters()).device
    return _checked(network, _on(device, examples, limit=settings.check_windows), settings)


def rate_at(step: int, settings: Settings) -> float:
    """One cycle (Smith & Topin 2018): up by a cosine over `warmup` of the steps from a 25th, then down to nothing."""
    up = max(1.0, settings.warmup * settings.steps)
    if step < up:
        return settings.rate * (0.04 + 0.96 * 0.5 * (1 - cos(pi * step / up)))
    return settings.rate * 0.5 * (1 + cos(pi * (step - up) / max(1.0, settings.steps - up)))


def _run(network: Network, train: Examples, valid: Examples, settings: Settings) -> dict[str, Any]:
    """What must be the same for a run to be the same: the network it starts from and what it sees among it."""
    start = 0
    for tensor in network.state_dict().values():
        start = crc32(tensor.detach().cpu().contiguous().numpy().tobytes(), start)
    seen = crc32(valid.actual.tobytes(), crc32(train.actual.tobytes()))
    named = {"schema": digest(network.schema), "config": fields_of(network.config), "settings": asdict(settings)}
    return {**named, "start": start, "examples": seen}


def _step(network: Network, optimiser: torch.optim.Optimizer, data: Batch, settings: Settings, step: int) -> Tensor:
    network.train()
    actual_all = data["actual"]
    device = actual_all.device
    generator = torch.Generator(device=device).manual_seed(settings.seed * 1_000_003 + step)
    torch.manual_seed(settings.seed * 1_000_003 + step)  # dropout
    rows = torch.randint(0, len(actual_all), (settings.batch,), generator=generator, device=device)
    arrays = {name: array[rows] for name, array in data.items()}
    actual = arrays.pop("actual")
    actual = actual + JITTER * torch.randn(actual.shape, generator=generator, device=device)
    noise = torch.randn(len(rows), settings.paths, actual[0].numel(), generator=generator, device=device)
    for group in optimiser.param_groups:
        group["lr"] = rate_at(step, settings)
    density, paths = network.fit_terms(arrays, actual, noise)
    loss = training_loss(density, paths, actual, energy=settings.energy)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
    optimiser.step()
    return loss.detach()


def _checked(network: Network, check: Batch, settings: Settings) -> float:
    """Mean choice score on the validation windows, always with the same noise."""
    network.eval()
    actual_all = check["actual"]
    generator = torch.Generator(device=actual_all.device).manual_seed(settings.seed)
    scores = []
    with torch.no_grad():
        for rows in torch.arange(len(actual_all), device=actual_all.device).split(AT_ONCE):
            arrays = {name: array[rows] for name, array in check.items()}
            actual = arrays.pop("actual")
            noise = torch.randn(
                len(rows), settings.check_paths, actual[0].numel(), generator=generator, device=actual.device
            )
            scores.append(choice_score(network(arrays, noise), actual))
    return float(torch.cat(scores).mean())


def _on(device: torch.device, examples: Examples, *, limit: int | None = None) -> Batch:
    """The examples as tensors on a device; at most `limit` of them, evenly spread."""
    count = len(examples)
    rows = slice(None) if limit is None or count <= limit else torch.linspace(0, count - 1, limit).long()
    tensors = {name: torch.from_numpy(array)[rows].to(device) for name, array in examples.arrays.items()}
    return {**tensors, "actual": torch.from_numpy(examples.actual)[rows].to(device)}


def _copy(network: Network) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
