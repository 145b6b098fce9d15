"""How a comparison is run: which rows are learned from, which are forecast, and the check that nobody looks ahead.

Rows are split in time: training, validation (to choose settings), test (scored once). Origins roll through the part
that is scored; models that learn are fitted again on the way, each time on rows that end an embargo before the origins
they then serve.

What is NOT promised: that a test part stays unseen by people. Who looks at it and changes a setting has trained on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

MOST_ORIGINS = 750
"""Origins roll on by as many rows as keep their number between this and the 500 that a stable figure needs."""
DAY_S = 86400.0
MIXED = 1e-5
"""Relative difference of paths above which a model is said to have looked ahead; below it is arithmetic."""


class Part(StrEnum):
    VALIDATION = "validation"
    TEST = "test"


class Scale(StrEnum):
    """The unit in which CRPS and squared errors are told."""

    UNIT = "unit"
    """As in the file."""
    MEAN = "mean"
    """Each indicator in shares of its mean over the training rows: several indicators then weigh alike."""
    MINMAX = "minmax"
    """Each indicator from 0 to 1 over the training rows, as HARMONY's published figures are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The terms of one comparison. `every` rows lie between origins; 0 chooses so that there are 500 to 750."""

    name: str = "rolling"
    context: int
    horizon: int
    train: float = 0.6
    validate: float = 0.2
    part: Part = Part.TEST
    every: int = 0
    fits: int = 1
    """How often a model that learns is fitted, evenly spread over the part that is scored."""
    seeds: int = 1
    """How many seeds a model that learns is run with; scores are means over them."""
    paths: int = 256
    scale: Scale = Scale.UNIT

    def split(self, rows: int) -> tuple[int, int, int]:
        """(end of training rows, first row that is scored, end of those) of a series with this many rows."""
        train, validated = round(rows * self.train), round(rows * (self.train + self.validate))
        return (train, train, validated) if self.part is Part.VALIDATION else (train, validated, rows)

    def origins(self, rows: int) -> Indices:
        """First rows of the forecasts, whole horizons only. Raises ValueError where not one fits."""
        _, first, end = self.split(rows)
        last = end - self.horizon
        if last < first or first < self.horizon + 2:
            raise ValueError(
                f"{rows} rows are too few for a horizon of {self.horizon}: {end - first} rows remain to be scored"
            )
        step = self.every or max(1, (last - first + 1) // MOST_ORIGINS)
        return np.arange(first, last + 1, step, dtype=np.int64)

    def turns(self, origins: Indices) -> list[tuple[int, Indices]]:
        """(rows to learn from, origins served by that fit), in order; the embargo is one horizon."""
        parts = [part for part in np.array_split(origins, max(1, self.fits)) if len(part)]
        return [(max(2, int(part[0]) - self.horizon), part) for part in parts]


def harmony(protocol: Protocol) -> Protocol:
    """HARMONY's own: 70/10/20, scaled by the training rows, one step ahead from each row of the last fifth.

    Source: Floating-LY/HARMONY1, its data loader and run settings (context 72, 144 or 288; 72 here).
    """
    return replace(
        protocol, name="harmony", context=72, horizon=1, train=0.7, validate=0.1, every=1, scale=Scale.MINMAX
    )


def scaled(series: Series, *, train: int, scale: Scale) -> Series:
    """The series in the unit that is scored."""
    zero, width = unit_of(series, train=train, scale=scale)
    return replace(series, values=(series.values - zero) / width)


def unit_of(series: Series, *, train: int, scale: Scale) -> tuple[Floats, Floats]:
    """Zero and width (N,) of that unit; a width of zero is taken as one, as scikit-learn's MinMaxScaler does."""
    rows = series.values[:train]
    zero, width = np.zeros(rows.shape[1]), np.ones(rows.shape[1])
    if scale is Scale.MINMAX:
        zero = _over_rows(np.nanmin, rows)
        width = _over_rows(np.nanmax, rows) - zero
    elif scale is Scale.MEAN:
        width = _over_rows(np.nanmean, np.abs(rows))
    return zero, np.where(width > 0, width, 1.0)


def lift_of(series: Series, *, train: int, scale: Scale) -> Floats:
    """What to add to the scaled series (N,) for zero to be zero again; nothing where training rows do not vary.

    An indicator that does not vary has no width, so that its unit is that of the file, and it stays at zero.
    """
    zero, width = unit_of(series, train=train, scale=scale)
    rows = series.values[:train]
    varies = _over_rows(np.nanmax, rows) > _over_rows(np.nanmin, rows)
    return np.where(varies, zero / width, 0.0)


def _over_rows(function: Callable[..., Floats], rows: Floats) -> Floats:
    """The function per indicator, 0 for one without a value."""
    known = np.where(np.isfinite(rows).any(axis=0), rows, 0.0)
    return np.asarray(function(known, axis=0), dtype=np.float64)


def shuffled_after(series: Series, *, origin: int, seed: int) -> Series:
    """The series with everything from the origin on replaced by other values of it, three times as large."""
    values = series.values.copy()
    rest = np.random.default_rng(seed).permutation(values[origin:])
    values[origin:] = 3.0 * rest + 1.0 + np.nan_to_num(np.nanmax(np.abs(values), initial=0.0))
    return replace(series, values=values)


def looks_ahead(*, fitted: Fitted, series: Series, origins: Indices, horizon: int, count: int = 16) -> str:
    """Empty where the paths of each of these origins stay the same when the rows from it on change; else where not."""
    for origin in origins.tolist():
        alone = np.array([origin], dtype=np.int64)
        changed = shuffled_after(series, origin=origin, seed=origin)
        before = fitted.paths(series=series, origins=alone, horizon=horizon, count=count, seed=origin)
        after = fitted.paths(series=changed, origins=alone, horizon=horizon, count=count, seed=origin)
        if not np.allclose(before, after, rtol=MIXED, atol=MIXED * float(np.abs(before).max(initial=1e-9))):
            return f"its paths of row {origin} change when rows from {origin} on do"
    return ""
