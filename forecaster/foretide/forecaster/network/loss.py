"""What training minimises and what picks the checkpoint.

Loss: negative log likelihood per number + `ENERGY` x energy score (Gneiting & Raftery 2007) of a few paths, per root of
the dimension. Choice: mean CRPS of every number + pinball loss of the path peak, never the likelihood: on counts and
constants a likelihood has no bound.

What is NOT promised: that the losses are comparable between schemas. All are in units of a window's scale.
"""

import torch
from torch import Tensor

ENERGY = 0.2
PATHS = 8
PEAK_QUANTILES = (0.5, 0.9, 0.95)


def training_loss(density: Tensor, paths: Tensor, actual: Tensor, *, energy: float = ENERGY) -> Tensor:
    """Density (B,), paths (B, K, H, N), actual (B, H, N) -> scalar."""
    return -density.clamp(min=-50.0).mean() + energy * energy_score(paths, actual).mean()


def energy_score(paths: Tensor, actual: Tensor) -> Tensor:
    """(B,): E||X - y|| - E||X - X'|| / 2 over the root of the dimension; fair in the number of paths."""
    count = paths.shape[1]
    flat, truth = paths.flatten(2), actual.flatten(1)[:, None]
    root = flat.shape[-1] ** 0.5
    error = _norm(flat - truth).mean(dim=1)
    pairs = torch.stack([_norm(flat - flat.roll(shift, dims=1)).mean(dim=1) for shift in range(1, count // 2 + 1)])
    return (error - 0.5 * pairs.mean(dim=0)) / root


def _norm(gaps: Tensor) -> Tensor:
    """Euclidean norm over the last axis, with a gradient at zero."""
    return torch.sqrt((gaps**2).sum(dim=-1) + 1e-8)


def choice_score(paths: Tensor, actual: Tensor) -> Tensor:
    """(B,): mean CRPS over steps and indicators, plus the mean pinball loss of the path peak over indicators."""
    peaks, peak = paths.amax(dim=2), actual.amax(dim=1)
    miss = [peak - torch.quantile(peaks, level, dim=1) for level in PEAK_QUANTILES]
    losses = [torch.maximum(level * gap, (level - 1) * gap) for level, gap in zip(PEAK_QUANTILES, miss, strict=True)]
    return crps(paths, actual).mean(dim=(1, 2)) + 2 * torch.stack(losses).mean(dim=(0, 2))


def crps(paths: Tensor, actual: Tensor) -> Tensor:
    """Fair CRPS of K samples: paths (B, K, H, N), actual (B, H, N) -> (B, H, N)."""
    count = paths.shape[1]
    ranks = 2.0 * torch.arange(1, count + 1, device=paths.device) - count - 1.0
    ordered = paths.sort(dim=1).values
    spread = (ordered * ranks[None, :, None, None]).sum(dim=1) / (count * (count - 1))
    return (paths - actual[:, None]).abs().mean(dim=1) - spread
