"""HARMONY as its repository has it, written anew from a description of that code; a rival, trained per series.

Each indicator's window is one token (with four clock marks as tokens of their own), attention climbs the indicators'
levels one after another with other levels' tokens set to zero, a head gives a normal distribution per indicator, and
four affine couplings (RealNVP) that see no context follow. The loss is the squared error of ONE vector: the mean of 100
draws, passed through the couplings. No likelihood takes part, so nothing teaches the spread.

`harmony-as-published` draws from that normal and passes each draw through the couplings, as the method says.
`harmony-as-scored` draws from the normal before the couplings, which is what the repository's CRPS is computed from.

Source: Floating-LY/HARMONY1 (2 August 2024), run settings of its Fisher experiments. What is NOT promised: levels of
indicators beyond Fisher's; elsewhere all have level 1. Levels follow the indicators' names; in the repository they are
shifted by one, because its loader moves `load` to the end.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from foretide.forecaster.evaluate.baselines.windows import filled
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

WIDTH, HEADS, INNER, LAYERS, DROPOUT = 512, 8, 2048, 2, 0.1
COUPLINGS, COUPLING_WIDTH, DRAWS = 4, 512, 100
EPOCHS, PATIENCE, BATCH, RATE = 10, 3, 128, 1e-4
VALIDATED = 0.125
"""Newest share of the rows that chooses the epoch: a tenth of the series where 80 % are learned from."""
MARKS = 4
LONGEST = 288
"""The longest context of its experiments."""
CHUNK = 128
LEVELS = {
    "load": 1,
    "container_cpu_usage_seconds_total": 2,
    "container_memory_active_file": 2,
    "container_memory_hierarchical_memory_limit": 2,
    "container_memory_rss": 2,
    "cpu.busy": 2,
    "mem.memused": 2,
    "blkio.throttle.io_service_bytes_Async": 3,
    "blkio.throttle.io_service_bytes_Read": 3,
    "container_network_tcp_TimeWait": 3,
    "net.if.in.bytes": 3,
}


@dataclass(frozen=True, slots=True)
class Harmony:
    """A `Model`. `coupled` draws pass the couplings; `epochs` and `device` are for tests and large machines."""

    name: str = "harmony-as-published"
    coupled: bool = True
    epochs: int = EPOCHS
    device: str = ""

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Adam with the rate halved each epoch, squared error, the epoch with the best newest rows kept."""
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        learned = replace(series, values=series.values[:rows])
        network = _learned(_Lesson(learned, horizon, min(context, LONGEST), seed, self.epochs, device))
        return _Trained(network, min(context, LONGEST), self.coupled)


@dataclass(frozen=True, slots=True)
class _Lesson:
    """All that a training depends on. Both readings of the method ask for the same one."""

    series: Series = field(compare=False)
    horizon: int
    context: int
    seed: int
    epochs: int
    device: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        told = f"{self.series.columns} {self.series.start_s} {self.series.step_s}".encode()
        object.__setattr__(self, "digest", sha256(told + self.series.values.tobytes()).hexdigest())


@lru_cache(maxsize=8)
def _learned(lesson: _Lesson) -> "Network":
    torch.manual_seed(lesson.seed)
    levels = tuple(LEVELS.get(column, 1) for column in lesson.series.columns) + (1,) * MARKS
    network = Network(context=lesson.context, horizon=lesson.horizon, levels=levels).to(lesson.device)
    windows, targets = _examples(lesson.series, lesson.horizon, lesson.context)
    held = max(1, round(VALIDATED * len(windows)))
    _train(network, (windows[:-held], targets[:-held]), (windows[-held:], targets[-held:]), lesson.epochs)
    return network


class Network(nn.Module):
    """(B, context, N + 4) scaled windows and marks -> mean and spread (B, H, N), both in the window's own scale."""

    def __init__(self, *, context: int, horizon: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.horizon, self.count = horizon, len(levels) - MARKS
        self.embed = nn.Sequential(nn.Linear(context, WIDTH), nn.Dropout(DROPOUT))
        self.layers = nn.ModuleList(_Layer(levels) for _ in range(LAYERS))
        self.last = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 2 * horizon)
        size = horizon * self.count
        self.couplings = nn.ModuleList(_Coupling(size, odd=bool(index % 2)) for index in range(COUPLINGS))

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean and spread of the normal, and the window's mean and spread that undo its scale (B, 1, N)."""
        values = windows[:, :, : self.count]
        centre = values.mean(dim=1, keepdim=True)
        spread = torch.sqrt(values.var(dim=1, keepdim=True, unbiased=False) + 1e-5)
        tokens = torch.cat([(values - centre) / spread, windows[:, :, self.count :]], dim=2).transpose(1, 2)
        hidden = self.embed(tokens)
        for layer in self.layers:
            hidden = layer(hidden)
        told = self.head(self.last(hidden))[:, : self.count].transpose(1, 2)
        mean, width = told.chunk(2, dim=1)
        return mean, nn.functional.softplus(width), centre, spread

    def coupled(self, draws: Tensor) -> Tensor:
        """(..., H, N) through the couplings."""
        flat = draws.flatten(-2)
        for coupling in self.couplings:
            flat = coupling(flat)
        return flat.unflatten(-1, (self.horizon, self.count))

    def predicted(self, windows: Tensor) -> Tensor:
        """The vector that is trained: the mean of DRAWS draws, through the couplings, in the input's scale."""
        mean, width, centre, spread = self(windows)
        draws = mean[None] + width[None] * torch.randn(DRAWS, *mean.shape, device=mean.device)
        return self.coupled(draws.mean(dim=0)) * spread + centre


class _Layer(nn.Module):
    """Post-norm encoder layer with attention that climbs the levels."""

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.top = max(levels)
        self.project = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.wide = nn.Sequential(
            nn.Linear(WIDTH, INNER), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(INNER, WIDTH), nn.Dropout(DROPOUT)
        )
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.first(hidden + self.drop(self.climbed(hidden)))
        return self.second(hidden + self.wide(hidden))

    def climbed(self, hidden: Tensor) -> Tensor:
        """Sum over levels of attention among that level's tokens, the level below added to queries, keys and values.

        Other tokens are zeroed, not masked out: they keep their share of the softmax, as in the original.
        """
        query, key, value = (self.project[index](hidden) for index in range(3))
        before, total = torch.zeros_like(hidden), torch.zeros_like(hidden)
        for level in range(1, self.top + 1):
            own = (self.levels == level)[None, :, None]
            heads = [_heads(part * own + before) for part in (query, key, value)]
            mixed = nn.functional.scaled_dot_product_attention(*heads)
            before = mixed.transpose(1, 2).flatten(2) * own
            total = total + before
        out: Tensor = self.project[3](total)
        return out


def _heads(hidden: Tensor) -> Tensor:
    return hidden.unflatten(2, (HEADS, WIDTH // HEADS)).transpose(1, 2)


class _Coupling(nn.Module):
    """Affine coupling without context: even or odd places stay (halves where the size is odd), the rest are moved."""

    def __init__(self, size: int, *, odd: bool) -> None:
        super().__init__()
        places = torch.arange(size)
        kept = places % 2 == int(odd) if size % 2 == 0 else (places < size // 2) != odd
        self.register_buffer("kept", kept.float(), persistent=False)
        self.scale = _perceptron(size, nn.Tanh())
        self.shift = _perceptron(size, nn.Identity())

    def forward(self, flat: Tensor) -> Tensor:
        known = flat * self.kept
        return known + (1 - self.kept) * (flat * torch.exp(self.scale(known)) + self.shift(known))


def _perceptron(size: int, last: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Linear(size, COUPLING_WIDTH), nn.ReLU(), nn.Linear(COUPLING_WIDTH, COUPLING_WIDTH), nn.ReLU(),
        nn.Linear(COUPLING_WIDTH, size), last,
    )  # fmt: skip


def _examples(series: Series, horizon: int, context: int) -> tuple[Tensor, Tensor]:
    """Every window of the rows: (W, context, N + 4) and targets (W, H, N)."""
    rows, seen = len(series.values), _with_marks(series).astype(np.float32)
    starts = np.arange(context, rows - horizon + 1)
    if len(starts) < 2:
        raise ValueError(f"{rows} rows hold no two windows of {context} + {horizon} rows")
    windows = np.stack([seen[start - context : start] for start in starts.tolist()])
    targets = np.stack([seen[start : start + horizon, : series.values.shape[1]] for start in starts.tolist()])
    return torch.from_numpy(windows), torch.from_numpy(targets)


def _with_marks(series: Series) -> Floats:
    """Filled values and month, day, weekday and hour as plain numbers (T, N + 4)."""
    at = (series.start_s + np.arange(len(series.values)) * series.step_s).astype("datetime64[s]")
    days = at.astype("datetime64[D]")
    marks = (
        at.astype("datetime64[M]").astype(np.int64) % 12 + 1,
        (days - at.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1,
        (days.astype(np.int64) + 3) % 7,
        (at - days).astype(np.int64) // 3600,
    )
    return np.column_stack([filled(series.values), *marks]).astype(np.float64)


def _train(network: Network, shown: tuple[Tensor, Tensor], held: tuple[Tensor, Tensor], epochs: int) -> None:
    windows, targets = shown
    device = next(network.parameters()).device
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    best, kept, waited = float("inf"), network.state_dict(), 0
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5**epoch
        network.train()
        for picks in torch.randperm(len(windows)).split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(network.predicted(windows[picks].to(device)), targets[picks].to(device))
            loss.backward()
            optimizer.step()
        error = _error(network, *held, device)
        if error < best:
            best, kept, waited = error, {name: value.clone() for name, value in network.state_dict().items()}, 0
        else:
            waited += 1
        if waited >= PATIENCE:
            break
    network.load_state_dict(kept)
    network.eval()


def _error(network: Network, windows: Tensor, targets: Tensor, device: Any) -> float:
    network.eval()
    with torch.no_grad():
        parts = [
            ((network.predicted(some.to(device)) - wanted.to(device)) ** 2).sum().item()
            for some, wanted in zip(windows.split(CHUNK), targets.split(CHUNK), strict=True)
        ]
    return float(sum(parts)) / float(targets.numel())


@dataclass(frozen=True, slots=True, eq=False)
class _Trained:
    network: Network
    context: int
    coupled: bool

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N); every origin gets the same noise. A short past repeats its first row."""
        if horizon != self.network.horizon:
            raise ValueError(f"trained for {self.network.horizon} rows ahead, asked for {horizon}")
        rows = _with_marks(series)
        places = np.maximum(origins[:, None] - self.context + np.arange(self.context), 0)
        device = next(self.network.parameters()).device
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(1, count, horizon, self.network.count, generator=generator).to(device)
        parts = []
        with torch.no_grad():
            for some in np.array_split(places, max(1, len(places) // CHUNK)):
                mean, width, centre, spread = self.network(torch.from_numpy(rows[some]).float().to(device))
                draws = mean[:, None] + width[:, None] * noise
                draws = self.network.coupled(draws) if self.coupled else draws
                parts.append((draws * spread[:, None] + centre[:, None]).cpu().double().numpy())
        return np.concatenate(parts)
