"""Conditional distributions over D numbers behind one interface: density for fitting, samples from GIVEN noise.

`Couplings` is what ships: rational-quadratic couplings of nflows (Durkan et al. 2019), of which `nflows.transforms`
alone is imported. Sampling takes our own branch-free inverse, so that the graph can be exported. `Spare` is the same
through zuko, kept alive by one contract test over both: nflows is frozen since 2020. `Gaussian` is the ablation.

What is NOT promised: that the spare is equal in its numbers, or exportable. It fits and samples.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from foretide.forecaster.network.splines import BINS, BOUND, PARAMETERS, SMALLEST, inverse, start_as_identity

LOG_2PI = 1.8378770664093453
NOISE_LIMIT = 4.0
"""Noise is cut here: one path in 15,000 per number, and no tail of a spline is ever followed further."""


class Flow(Protocol):
    """A distribution over values (D,) given a context (C,)."""

    def log_density(self, values: Tensor, context: Tensor) -> Tensor:
        """Values (B, D), context (B, C) -> natural logarithm of the density (B,)."""
        ...

    def sample(self, noise: Tensor, context: Tensor) -> Tensor:
        """Noise (B, K, D) of the standard normal, context (B, C) -> values (B, K, D), differentiable in both."""
        ...


def log_normal(noise: Tensor) -> Tensor:
    """Log density of independent standard normals, summed over the last axis."""
    return -0.5 * (noise**2 + LOG_2PI).sum(dim=-1)


class Gaussian(nn.Module):
    """Independent standard normals, whatever the context: location and scale come from the network before it."""

    def log_density(self, values: Tensor, context: Tensor) -> Tensor:  # noqa: ARG002 - the interface
        return log_normal(values)

    def sample(self, noise: Tensor, context: Tensor) -> Tensor:  # noqa: ARG002 - the interface
        return noise


class Conditioner(nn.Module):
    """Passed values and context -> spline parameters. The context's part is computed once for all paths."""

    def __init__(self, passed: int, parameters: int, *, context: int, hidden: int) -> None:
        super().__init__()
        self.hidden_features = hidden  # nflows divides raw widths and heights by its root
        self.passed = nn.Linear(passed, hidden, bias=False) if passed else None
        self.context = nn.Linear(context, hidden)
        self.middle = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, parameters)
        nn.init.zeros_(self.last.weight)
        start_as_identity(self.last.bias)

    def forward(self, passed: Tensor, context: Tensor) -> Tensor:
        first = self.context(context)
        if self.passed is not None:
            first = first + self.passed(passed)
        turned = nn.functional.gelu(first)
        turned = turned + nn.functional.gelu(self.middle(turned))
        raw: Tensor = self.last(turned)
        return raw

    def columns(self, passed: Tensor, context: Tensor) -> Tensor:
        """Passed values (B, D, K), context (B, C) -> parameters (B, parameters, K), scaled as nflows scales them.

        nflows divides raw widths and heights by a root before its softmax; dividing weights gives the same, once.
        """
        first = self.context(context)[..., None]
        if self.passed is not None:
            first = first + self.passed.weight @ passed
        else:
            first = first.expand(-1, -1, passed.shape[-1])
        turned = nn.functional.gelu(first)
        turned = turned + nn.functional.gelu(self.middle.weight @ turned + self.middle.bias[:, None])
        share = torch.ones(PARAMETERS).to(turned)
        share[: 2 * BINS] = float(self.hidden_features) ** -0.5
        scales = share.repeat(len(self.last.bias) // PARAMETERS)[:, None]
        raw: Tensor = (self.last.weight * scales) @ turned + self.last.bias[:, None] * scales
        return raw


class Couplings(nn.Module):
    """Couplings of nflows over masks (layers of D booleans: which numbers a layer changes)."""

    def __init__(self, masks: list[list[bool]], *, context: int, hidden: int) -> None:
        super().__init__()
        from nflows.transforms import PiecewiseRationalQuadraticCouplingTransform

        self.layers = nn.ModuleList(
            PiecewiseRationalQuadraticCouplingTransform(
                mask=torch.tensor(mask, dtype=torch.int64),
                transform_net_create_fn=lambda passed, raw: Conditioner(passed, raw, context=context, hidden=hidden),
                num_bins=BINS,
                tails="linear",
                tail_bound=BOUND,
                min_bin_width=SMALLEST,
                min_bin_height=SMALLEST,
                min_derivative=SMALLEST,
            )
            for mask in masks
        )
        for index, mask in enumerate(masks):
            self.register_buffer(f"places_{index}", torch.tensor(_places(mask)), persistent=False)

    def log_density(self, values: Tensor, context: Tensor) -> Tensor:
        total = torch.zeros_like(values[:, 0])
        for layer in self.layers:
            values, log_slope = layer(values, context)
            total = total + log_slope
        return log_normal(values) + total

    def sample(self, noise: Tensor, context: Tensor) -> Tensor:
        return self.sample_columns(noise.transpose(1, 2), context).transpose(1, 2)

    def sample_columns(self, noise: Tensor, context: Tensor) -> Tensor:
        """As `sample`, a path per column: noise (B, D, K) -> values (B, D, K)."""
        values = noise
        for index, layer in reversed(list(enumerate(self.layers))):
            passed = values.index_select(1, layer.identity_features)
            changed = values.index_select(1, layer.transform_features)
            raw = layer.transform_net.columns(passed, context).unflatten(1, (-1, PARAMETERS))
            turned = torch.cat([passed, inverse(changed, raw)], dim=1)
            values = turned.index_select(1, getattr(self, f"places_{index}"))
        return values


def _places(mask: list[bool]) -> list[int]:
    """Where each number stands once the passed ones come first and the changed ones follow."""
    order = [index for index, changed in enumerate(mask) if not changed]
    order += [index for index, changed in enumerate(mask) if changed]
    return [order.index(index) for index in range(len(mask))]


class Spare(nn.Module):
    """The same kind of flow through zuko: what would take over if torch removed something that nflows needs."""

    def __init__(self, masks: list[list[bool]], *, context: int, hidden: int) -> None:
        super().__init__()
        from zuko.flows import NSF

        self.flow = NSF(
            len(masks[0]), context, bins=BINS, transforms=len(masks), passes=2, hidden_features=(hidden, hidden)
        )

    def log_density(self, values: Tensor, context: Tensor) -> Tensor:
        found: Tensor = self.flow(context).log_prob(values)
        return found

    def sample(self, noise: Tensor, context: Tensor) -> Tensor:
        paths = noise.shape[1]
        around = context[:, None, :].expand(-1, paths, -1)
        drawn: Tensor = self.flow(around).transform.inv(noise)
        return drawn


def masks_over(times: int, indicators: int, *, layers: int) -> list[list[bool]]:
    """Masks over times x indicators, time outermost: odd and even times, odd and even indicators, halves of time."""
    time = torch.arange(times)[:, None].expand(times, indicators)
    indicator = torch.arange(indicators)[None, :].expand(times, indicators)
    splits = [time % 2 == 0] * (times > 1) + [indicator % 2 == 0] * (indicators > 1) + [time < times // 2] * (times > 3)
    if not splits:
        return [[True]] * layers
    pairs = [mask for split in splits for mask in (split, ~split)]
    return [pairs[index % len(pairs)].reshape(-1).tolist() for index in range(layers)]
