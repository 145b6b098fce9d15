"""The network: windows and noise in, normalised joint paths out.

    windows -> a token per (indicator, resolution) -> attention -> location and scale per (indicator, step)
                                                                -> context of the flow
    paths = location + scale * flow(noise, context)

Beside the tokens a linear skip runs from the newest rows and the same-clock stretches to the location (Zeng et al.
2023, "Are Transformers Effective for Time Series Forecasting?"). Noise is an input: the same noise, the same paths.

What is NOT promised: demand. `features.to_demand` maps paths back.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn

from foretide.forecaster.network.attention import Block, masks
from foretide.forecaster.network.features import CALENDAR, CLAMP, CONTEXT, EVENTS, RESOLUTIONS
from foretide.forecaster.network.flows import NOISE_LIMIT
from foretide.forecaster.network.joint import Shape, joint_of
from foretide.forecaster.network.schema import Schema

SKIP = 30
"""Newest rows from which the linear skip runs."""
EVENT_WIDTH = 16


class Family(StrEnum):
    """What turns noise into paths around location and scale."""

    FLOW = "flow"
    GAUSSIAN = "gaussian"


@dataclass(frozen=True, slots=True)
class Config:
    """The network's size and what of it is switched on; the ablation switches are here."""

    width: int = 64
    context: int = 64
    hidden: int = 64
    layers: int = 4
    coefficients: int = 8
    """Cosine coefficients per indicator that the couplings join; 0: they join the steps themselves."""
    family: Family = Family.FLOW
    attention: bool = True
    resolutions: bool = True
    """Whether more than the newest rows is looked at."""
    same_clock: bool = True
    dropout: float = 0.0

    @property
    def used(self) -> tuple[str, ...]:
        """Resolutions that are looked at."""
        names = RESOLUTIONS if self.resolutions else RESOLUTIONS[:1]
        return tuple(name for name in names if self.same_clock or name in {"recent", "binned"})


def config_from(fields: Mapping[str, Any]) -> Config:
    """The configuration that `asdict` wrote. Raises TypeError or ValueError on unknown fields or families."""
    return Config(**{**fields, "family": Family(fields["family"])})


def fields_of(config: Config) -> dict[str, Any]:
    return {**asdict(config), "family": str(config.family)}


class Network(nn.Module):
    """See the module. `forward` is what is exported; `fit_terms` is what is trained."""

    def __init__(self, schema: Schema, config: Config) -> None:
        super().__init__()
        self.schema, self.config = schema, config
        self.count, self.horizon = len(schema.indicators), schema.horizon
        self.targets = list(schema.targets)
        self.encoder = Encoder(schema, config)
        self.skip = Skip(schema, config)
        self.steps = nn.Linear(config.width, 2 * self.horizon)
        nn.init.zeros_(self.steps.weight)
        nn.init.zeros_(self.steps.bias)
        self.restless = nn.Parameter(torch.tensor([0.5, -0.7]))
        self.events = nn.Sequential(nn.Linear(5, EVENT_WIDTH), nn.GELU(), nn.Linear(EVENT_WIDTH, 2))
        self.context = nn.Sequential(nn.Linear(self.count * config.width, config.context), nn.GELU())
        shape = Shape(self.horizon, len(self.targets), config.coefficients, config.context, config.width)
        self.joint = joint_of(config.family.value, shape, layers=config.layers, hidden=config.hidden)

    def forward(self, arrays: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Arrays as `features.window` makes them, noise (B, K, H * targets) -> normalised paths (B, K, H, targets)."""
        location, scale, states, context = self._seen(arrays)
        shapes = self.joint.sample(noise.clamp(-NOISE_LIMIT, NOISE_LIMIT), states, context)
        paths: Tensor = location[:, None] + scale[:, None] * shapes
        return paths.clamp(-CLAMP, CLAMP)

    def fit_terms(self, arrays: Mapping[str, Tensor], actual: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actual (B, H, targets) normalised -> log density per number (B,), and paths (B, K, H, targets)."""
        location, scale, states, context = self._seen(arrays)
        shapes = (actual - location) / scale
        density = self.joint.log_density(shapes, states, context) - torch.log(scale).sum(dim=(1, 2))
        paths = location[:, None] + scale[:, None] * self.joint.sample(noise, states, context)
        return density / (self.horizon * len(self.targets)), paths

    def _seen(self, arrays: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Location and scale (B, H, targets), states of the targets (B, targets, width), context (B, C)."""
        states = self.encoder(arrays)
        context = self.context(states.flatten(1))
        out = self.steps(states)
        location = self.skip(arrays) + out[..., : self.horizon]
        spread = out[..., self.horizon :] + self.restless[0] * _restlessness(arrays) + self.restless[1]
        shift, widening = self._planned(arrays, location, spread)
        location, spread = location + shift, (spread + widening).clamp(-5.0, 2.5)
        picked = [part[:, self.targets].transpose(1, 2) for part in (location, torch.exp(spread))]
        return picked[0].clamp(-CLAMP, CLAMP), picked[1], states[:, self.targets], context

    def _planned(self, arrays: Mapping[str, Tensor], location: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        """What scheduled events add to location and log scale, (B, N, H) each; nothing where none is scheduled."""
        level, trust = (arrays["events"][..., column][:, None, :].expand_as(location) for column in range(EVENTS))
        rise = level - location[:, :1]
        told = torch.stack([trust, trust * rise, rise, location, spread], dim=-1)
        effect = self.events(told) * (trust > 0)[..., None]
        return effect[..., 0] + trust * rise, effect[..., 1]


def _restlessness(arrays: Mapping[str, Tensor]) -> Tensor:
    """(B, N, 1): log of the mean absolute change between newest rows, of which both were measured."""
    rows, known = arrays["recent"], arrays["recent_known"]
    both = known[..., 1:] * known[..., :-1]
    change = ((rows[..., 1:] - rows[..., :-1]).abs() * both).sum(-1, keepdim=True)
    return torch.log(change / both.sum(-1, keepdim=True).clamp(min=1.0) + 0.02)


class Encoder(nn.Module):
    """Windows -> one state per indicator (B, N, width)."""

    def __init__(self, schema: Schema, config: Config) -> None:
        super().__init__()
        looks, width = schema.windows, config.width
        sizes = {"recent": looks.recent, "binned": looks.bins}
        self.used = config.used
        self.read = nn.ModuleDict({name: _reader(2 * sizes.get(name, schema.same_clock), width) for name in self.used})
        self.state = _reader(CONTEXT + CALENDAR + EVENTS * schema.horizon, width)
        count, tokens = len(schema.indicators), len(self.used) + 1
        self.indicator = nn.Parameter(0.02 * torch.randn(count, 1, width))
        self.resolution = nn.Parameter(0.02 * torch.randn(1, tokens, width))
        within, by_level = masks(schema.levels, tokens)
        layers = (within, by_level) if config.attention else ()
        self.blocks = nn.ModuleList(Block(width, allowed, dropout=config.dropout) for allowed in layers)
        self.pool = nn.Sequential(nn.LayerNorm(tokens * width), nn.Linear(tokens * width, width), nn.GELU())

    def forward(self, arrays: Mapping[str, Tensor]) -> Tensor:
        known = [arrays[f"{name}_known"] for name in self.used]
        parts = [
            self.read[name](torch.cat([arrays[name], seen], dim=-1))
            for name, seen in zip(self.used, known, strict=True)
        ]
        context = arrays["context"]
        shared = torch.cat([arrays["calendar"], arrays["events"].flatten(1)], dim=-1)
        around = shared[:, None, :].expand(-1, context.shape[1], -1)
        parts.append(self.state(torch.cat([context, around], dim=-1)))
        tokens = torch.stack(parts, dim=2) + self.indicator + self.resolution
        absent = torch.stack([_absent(seen) for seen in known] + [torch.zeros_like(context[..., 0])], dim=2)
        mixed = tokens.flatten(1, 2)
        for block in self.blocks:
            mixed = block(mixed, absent.flatten(1))
        pooled: Tensor = self.pool(mixed.unflatten(1, tokens.shape[1:3]).flatten(2))
        return pooled


def _absent(known: Tensor) -> Tensor:
    """(B, N, L) -> (B, N): -inf where nothing of a window was measured."""
    nothing = known.sum(dim=-1) <= 0
    return torch.zeros_like(known[..., 0]).masked_fill(nothing, -math.inf)


def _reader(size: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(size, width), nn.GELU(), nn.Linear(width, width))


class Skip(nn.Module):
    """Linear, per indicator, from the newest rows and the same-clock stretches to each step's location (B, N, H)."""

    def __init__(self, schema: Schema, config: Config) -> None:
        super().__init__()
        self.rows = min(SKIP, schema.windows.recent)
        self.used = tuple(name for name in config.used if name not in {"recent", "binned"})
        count, horizon = len(schema.indicators), schema.horizon
        start = torch.zeros(count, self.rows, horizon)
        start[:, -3:] = 1.0 / min(3, self.rows)
        self.newest = nn.Parameter(start)
        self.clock = nn.Parameter(torch.zeros(count, len(self.used) * schema.same_clock, horizon))

    def forward(self, arrays: Mapping[str, Tensor]) -> Tensor:
        location = torch.einsum("bnr,nrh->bnh", arrays["recent"][..., -self.rows :], self.newest)
        if self.used:
            stretches = torch.cat([arrays[name] for name in self.used], dim=-1)
            location = location + torch.einsum("bnr,nrh->bnh", stretches, self.clock)
        return location
