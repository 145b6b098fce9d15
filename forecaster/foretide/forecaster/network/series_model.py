"""The network as a competitor of `forecast evaluate`: trained from scratch on one series, asked at many origins.

Any indicators, any horizon, any grid. Several members may be pooled: their paths are shared out evenly, which is a
linear pool of equal weights. A stretch of the training rows, `HELD_BACK` of them, picks a member's checkpoint: the
newest one for the first member, the one before it for the second, so that together they learn from all rows.

What is NOT promised: that `context` bounds every resolution. It bounds the newest rows and the bins; the same-clock
stretches look back a week, because a day's shape is what they are for.
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.network.examples import AS_IT_IS, Workload, examples_of, origins_of
from foretide.forecaster.network.features import to_demand, window
from foretide.forecaster.network.kept import Kept
from foretide.forecaster.network.model import Config, Family, Network
from foretide.forecaster.network.schema import DAY_S, DEMAND, Indicator, Schema, Transform, Windows
from foretide.forecaster.network.train import Report, Settings, fit, silent
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

HELD_BACK = 0.15
PASSES = 6
FOLDS = 4
"""Stretches that take turns in being held back."""
CLOSEST = 16
"""Origins that are answered in one pass."""
BEYOND = 0.25
"""Share of the range seen so far by which a path may leave it: a guard against tails that nothing supports."""
SKEWED = 1.5
"""asinh where every indicator is non-negative and, in the median over indicators, the 99th percentile is this many
times the median; else linear, standardised on the training rows."""


@dataclass(frozen=True, slots=True)
class SeriesModel:
    """See the module. `members` networks of consecutive seeds are pooled."""

    name: str = "flow"
    config: Config = field(default_factory=Config)
    settings: Settings = field(default_factory=Settings)
    members: int = 1
    most: int = 0
    """Steps of training at most, where `PASSES` over the rows would take more than `settings.steps`."""
    transform: Transform | None = None
    """None: chosen by `SKEWED`."""
    device: str = "cpu"
    report: Report = silent
    kept: Kept | None = None
    """Where trained networks are kept, and read from instead of being trained again."""

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Trains on the first `rows` rows. Raises ValueError where they hold too few windows."""
        transform = self.transform or _transform(series.values[:rows])
        shift, scale = _standard(series.values[:rows], transform)
        schema = _schema(series, horizon, context, transform)
        workload = Workload(series.group, (series.values - shift) / scale, series.start_s)
        networks = [self._member(workload, rows, schema, seed, member) for member in range(self.members)]
        return FittedSeries(tuple(networks), schema, shift, scale, self.device)

    def _member(self, workload: Workload, rows: int, schema: Schema, seed: int, member: int) -> Network:
        known = replace(workload, values=workload.values[:rows])
        settings = replace(self._settings(rows), seed=seed * 1000 + member)
        if self.kept is None:
            return self._trained(known, schema, settings, member)
        path = self.kept.path(known, schema, self.config, settings)
        network = self.kept.read(path, schema, self.config)
        if network is None:
            network = self._trained(known, schema, settings, member)
            self.kept.write(path, network)
        return network.to(self.device)

    def _settings(self, rows: int) -> Settings:
        """More steps for longer series, up to `most`; checked as often."""
        steps = max(self.settings.steps, min(self.most, round(PASSES * rows / self.settings.batch)))
        return replace(
            self.settings, steps=steps, check_every=max(1, self.settings.check_every * steps // self.settings.steps)
        )

    def _trained(self, known: Workload, schema: Schema, settings: Settings, member: int) -> Network:
        origins, held = _stretches(known.values, schema, member)
        if min(len(origins), len(held)) < 2:
            rows = len(known.values)
            raise ValueError(f"{rows} rows hold too few whole windows of {schema.horizon} steps to learn from")
        rng = np.random.default_rng(settings.seed)
        train, valid = (examples_of(known, picked, schema, rng=rng, hardening=AS_IT_IS) for picked in (origins, held))
        torch.manual_seed(settings.seed)
        network = Network(schema, self.config).to(self.device)
        fit(network, train, valid, settings, report=self.report)
        return network


@dataclass(frozen=True, slots=True, eq=False)
class FittedSeries:
    """Trained networks and the way from their numbers to the series'."""

    networks: tuple[Network, ...]
    schema: Schema
    shift: Floats
    scale: Floats
    device: str = "cpu"

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N); raises ValueError for a horizon it was not trained for."""
        if horizon != self.schema.horizon:
            raise ValueError(f"trained for {self.schema.horizon} steps, asked for {horizon}")
        values = (series.values - self.shift) / self.scale
        noise = torch.randn(count, self.schema.dimensions, generator=torch.Generator().manual_seed(seed))
        parts = [
            self._answered(values, series, origins[start : start + CLOSEST], noise)
            for start in range(0, len(origins), CLOSEST)
        ]
        paths = np.concatenate(parts) * self.scale + self.shift
        low, high = _reach(series.values, origins)
        return np.clip(paths, low[:, None, None], high[:, None, None])

    def _answered(self, values: Floats, series: Series, origins: Indices, noise: torch.Tensor) -> Floats:
        seen = window(values, origins, self.schema, start_s=series.start_s)
        arrays = {name: torch.from_numpy(array).to(self.device) for name, array in seen.arrays.items()}
        shares = noise.to(self.device).chunk(len(self.networks))
        with torch.no_grad():
            paths = [
                network(arrays, share.expand(len(origins), *share.shape))
                for network, share in zip(self.networks, shares, strict=False)
            ]
        return to_demand(torch.cat(paths, dim=1).cpu().numpy(), seen.frame, self.schema)


def _reach(values: Floats, origins: Indices) -> tuple[Floats, Floats]:
    """Smallest and largest number (O, N) that a path may have: what was seen before its origin, and `BEYOND` of it."""
    low, high = np.fmin.accumulate(values, axis=0)[origins - 1], np.fmax.accumulate(values, axis=0)[origins - 1]
    low, high = (np.where(np.isfinite(edge), edge, 0.0) for edge in (low, high))
    further = BEYOND * (high - low)
    return np.where(low >= 0, np.maximum(low - further, 0.0), low - further), high + further


def _stretches(values: Floats, schema: Schema, member: int) -> tuple[Indices, Indices]:
    """Origins to learn from, and those that pick the checkpoint; no row is in a future of both."""
    rows, place = len(values), member % FOLDS
    begin, end = (round((1 - HELD_BACK * (place + more)) * rows) for more in (1, 0))
    first = min(schema.windows.recent, begin // 4)
    before = origins_of(values, schema, first=first, last=begin)
    after = origins_of(values, schema, first=end, last=rows) if end < rows else before[:0]
    return np.concatenate([before, after]), origins_of(values, schema, first=begin, last=end)


def _transform(values: Floats) -> Transform:
    if np.nanmin(values, initial=0.0) < 0:
        return Transform.LINEAR
    median, high = np.nanquantile(values, [0.5, 0.99], axis=0)
    return Transform.ASINH if np.median(high / np.maximum(median, 1e-12)) >= SKEWED else Transform.LINEAR


def _standard(values: Floats, transform: Transform) -> tuple[Floats, Floats]:
    """Shift and scale per indicator (N,) of a linear schema; nothing for asinh, which finds its own unit."""
    count = values.shape[1]
    if transform is Transform.ASINH:
        return np.zeros(count), np.ones(count)
    spread = np.nanstd(values, axis=0)
    return np.nanmean(values, axis=0), np.where(spread > 0, spread, 1.0)


def _schema(series: Series, horizon: int, context: int, transform: Transform) -> Schema:
    """Windows by the rule of the shipped heads: newest rows, bins over about a day, the same clock around."""
    recent = max(2, min(context, 72))
    day = max(1, round(DAY_S / series.step_s))
    bins = 48 if day >= 1440 else 36
    bin_rows = max(1, min(max(day, 4 * recent), context * 20) // bins)
    before, after = max(2, min(30, horizon, day // 12)), max(1, min(15, day // 24))
    windows = Windows(recent=recent, bins=bins, bin_rows=bin_rows, before=before, after=after)
    indicators = tuple(Indicator(name, DEMAND) for name in series.columns)
    return Schema("series", horizon, series.step_s, indicators, windows, transform)


CONFIG = Config(attention=False, layers=2)
"""Two couplings and no attention: on a validation part of Fisher they had a CRPS of .071 after 37 s of training, four
with attention .079 after 93 s. Longer training with attention was not compared."""
SETTINGS = Settings(
    steps=350, batch=64, rate=3e-3, warmup=0.1, paths=4, check_every=50, check_paths=32, check_windows=512
)
"""Chosen on validation parts: of Fisher, where 600 steps of one network forecast no better than three of 350 and too
narrowly; of Twitter, where three of 1,400 steps (of 128 windows) had a wQL of .136, one of 300 (of 192) .159."""
MEMBERS, MOST = 3, 1400
_VARIANTS = {
    "flow": CONFIG,
    "gaussian-head": replace(CONFIG, family=Family.GAUSSIAN),
    "flow-attention": replace(CONFIG, attention=True),
    "flow-recent-only": replace(CONFIG, resolutions=False),
    "flow-no-same-clock": replace(CONFIG, same_clock=False),
}
NAMES = tuple(_VARIANTS)
"""Competitors by the names of the command line."""


def named(name: str, **changes: Any) -> SeriesModel:
    """The competitor of a name in NAMES, with fields of `SeriesModel` changed. Raises KeyError on another name.

    The environment's FORETIDE_KEPT_NETWORKS names a folder for trained networks; without it they are not kept.
    """
    folder = os.environ.get("FORETIDE_KEPT_NETWORKS")
    kept = Kept(Path(folder)) if folder else None
    usual = {"config": _VARIANTS[name], "settings": SETTINGS, "members": MEMBERS, "most": MOST, "kept": kept}
    return SeriesModel(**{"name": name, **usual, **changes})
