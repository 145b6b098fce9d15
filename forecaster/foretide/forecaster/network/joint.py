"""From noise to the joint shape of a path, around location 0 at scale 1: (H, N) numbers, N targets.

The flow: couplings join the first cosine coefficients (DCT-II, orthonormal) of each indicator. The others are normals
whose scale depends on the context, woven across indicators, because tokens follow requests. Back in time, a monotone
spline per (indicator, step), whose parameters depend on the indicator's state alone, shapes each margin. Splines are
computed once per workload, not per path, which is what makes 256 paths cheap. With 0 coefficients, or where they are as
many as the steps, couplings join the steps themselves. The Gaussian family is independent normals.

What is NOT promised: dependence of the fine wiggles of a path beyond its first coefficients.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from foretide.forecaster.network.flows import Couplings, Gaussian, log_normal, masks_over
from foretide.forecaster.network.splines import PARAMETERS, forward, inverse, start_as_identity


@dataclass(frozen=True, slots=True)
class Shape:
    horizon: int
    targets: int
    coefficients: int
    context: int
    width: int

    @property
    def joined(self) -> int:
        """Times, or coefficients, that the couplings see per indicator."""
        return min(self.coefficients, self.horizon) or self.horizon


class Joint(Protocol):
    """A distribution over shapes (H, N) given states (B, N, width) and context (B, C)."""

    def log_density(self, shapes: Tensor, states: Tensor, context: Tensor) -> Tensor: ...

    def sample(self, noise: Tensor, states: Tensor, context: Tensor) -> Tensor: ...


def joint_of(family: str, shape: Shape, *, layers: int, hidden: int) -> nn.Module:
    return FlowJoint(shape, layers=layers, hidden=hidden) if family == "flow" else GaussianJoint(shape)


class GaussianJoint(nn.Module):
    """Each number on its own."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = (shape.horizon, shape.targets)
        self.flow = Gaussian()

    def log_density(self, shapes: Tensor, states: Tensor, context: Tensor) -> Tensor:  # noqa: ARG002 - the interface
        return self.flow.log_density(shapes.flatten(1), context)

    def sample(self, noise: Tensor, states: Tensor, context: Tensor) -> Tensor:  # noqa: ARG002 - the interface
        return self.flow.sample(noise, context).unflatten(-1, self.shape)


class FlowJoint(nn.Module):
    def __init__(self, shape: Shape, *, layers: int, hidden: int) -> None:
        super().__init__()
        self.shape = shape
        masks = masks_over(shape.joined, shape.targets, layers=layers)
        self.flow = Couplings(masks, context=shape.context, hidden=hidden)
        self.fine = shape.horizon - shape.joined
        self.fine_scale = nn.Linear(shape.context, max(1, self.fine * shape.targets))
        nn.init.zeros_(self.fine_scale.weight)
        nn.init.zeros_(self.fine_scale.bias)
        self.weave = nn.Linear(shape.context, shape.targets**2)
        nn.init.zeros_(self.weave.weight)
        nn.init.zeros_(self.weave.bias)
        self.register_buffer("below", torch.ones(shape.targets, shape.targets).tril(-1), persistent=False)
        self.marginals = nn.Linear(shape.width, shape.horizon * PARAMETERS)
        nn.init.zeros_(self.marginals.weight)
        start_as_identity(self.marginals.bias)
        self.register_buffer("cosines", cosines(shape.horizon), persistent=False)

    def log_density(self, shapes: Tensor, states: Tensor, context: Tensor) -> Tensor:
        shaped, slopes = forward(shapes.transpose(1, 2), self._marginals(states).transpose(2, 3))
        shapes = shaped.transpose(1, 2)
        total = slopes.sum(dim=(1, 2))
        if not self.fine:
            return total + self.flow.log_density(shapes.flatten(1), context)
        parts = torch.einsum("ch,bhn->bcn", self.cosines, shapes)
        spread = self._fine_spread(context)
        fine = parts[:, self.shape.joined :] * torch.exp(-spread)
        total = total + log_normal(self._unwoven(fine, context).flatten(1)) - spread.sum(dim=(1, 2))
        return total + self.flow.log_density(parts[:, : self.shape.joined].flatten(1), context)

    def sample(self, noise: Tensor, states: Tensor, context: Tensor) -> Tensor:
        columns = noise.transpose(1, 2)  # a path per column, all the way: see splines
        joined = self.shape.joined * self.shape.targets
        parts = self.flow.sample_columns(columns[:, :joined], context).unflatten(1, (-1, self.shape.targets))
        if self.fine:
            drawn = columns[:, joined:].unflatten(1, (self.fine, self.shape.targets))
            woven = drawn + self._threads(context)[:, None] @ drawn
            fine = woven * torch.exp(self._fine_spread(context))[..., None]
            parts = torch.cat([parts, fine], dim=1)
            parts = (self.cosines.T @ parts.flatten(2)).unflatten(2, (self.shape.targets, -1))
        raw = self._marginals(states).transpose(1, 2)[..., None]
        return inverse(parts, raw, shared=True).permute(0, 3, 1, 2)

    def _marginals(self, states: Tensor) -> Tensor:
        """Spline parameters (B, N, H, PARAMETERS)."""
        raw: Tensor = self.marginals(states)
        return raw.unflatten(-1, (self.shape.horizon, PARAMETERS))

    def _fine_spread(self, context: Tensor) -> Tensor:
        """Log scale of the fine coefficients (B, fine, N)."""
        raw: Tensor = self.fine_scale(context)
        return raw.clamp(-4.0, 2.0).unflatten(-1, (self.fine, self.shape.targets))

    def _threads(self, context: Tensor) -> Tensor:
        """How much of each earlier indicator's noise a later one takes up (B, N, N), strictly lower triangular."""
        raw: Tensor = self.weave(context)
        return raw.unflatten(-1, (self.shape.targets, self.shape.targets)).clamp(-20.0, 20.0) * self.below

    def _unwoven(self, woven: Tensor, context: Tensor) -> Tensor:
        """The noise (B, fine, N) that was woven, by forward substitution."""
        threads, drawn = self._threads(context), woven[..., :1]
        for row in range(1, self.shape.targets):
            taken = torch.einsum("bm,bcm->bc", threads[:, row, :row], drawn)
            drawn = torch.cat([drawn, (woven[..., row] - taken)[..., None]], dim=-1)
        return drawn


def cosines(horizon: int) -> Tensor:
    """The orthonormal DCT-II, (coefficient, step)."""
    step, place = torch.arange(horizon, dtype=torch.float64) + 0.5, torch.arange(horizon, dtype=torch.float64)
    waves = torch.cos(math.pi / horizon * place[:, None] * step[None, :]) * math.sqrt(2.0 / horizon)
    waves[0] /= math.sqrt(2.0)
    return waves.to(torch.float32)
