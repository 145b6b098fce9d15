"""Cost-promise curves: GPU-hours against joint attainment, cost at a matched attainment, and ratios with intervals.

A curve's lower envelope holds the settings that no other one beats on both sides; between neighbours on it lies what
a mixture of the two in time would cost and keep. A ratio's interval is a paired bootstrap: seeds are drawn, the
same for both policies, and where seeds share one recorded trace, blocks of time within each drawn one.

What is NOT promised: a cost beyond the curve; an attainment that no setting reaches has none. Nor the full width of an
interval from few seeds: of five, a bootstrap sees only what those five have shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretide.policies.flow import Floats

RESAMPLES = 1000
LEVEL = 0.95
ENOUGH = 0.95
"""An interval needs this share of the resamples to reach the attainment, on both sides."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """One policy at its K settings over S seeds, each run cut into B blocks of time; arrays (K, S, B)."""

    gpu_hours: Floats
    requests: Floats
    kept: Floats
    """Requests within every declared threshold."""

    def hours(self, weights: Floats | None = None) -> Floats:
        """GPU-hours of a run at each setting, mean over seeds; `weights` (..., S, B) count each block's draws."""
        hours: Floats = self._summed(self.gpu_hours, weights) / self.gpu_hours.shape[1]
        return hours

    def joint(self, weights: Floats | None = None) -> Floats:
        """Share of all seeds' requests that were within every threshold, by setting; NaN where none arrived."""
        asked, kept = self._summed(self.requests, weights), self._summed(self.kept, weights)
        shares: Floats = np.divide(kept, asked, out=np.full(asked.shape, np.nan), where=asked > 0)
        return shares

    def _summed(self, blocks: Floats, weights: Floats | None) -> Floats:
        ones = np.ones(blocks.shape[1:])
        return np.asarray(np.einsum("ksb,...sb->...k", blocks, ones if weights is None else weights))


@dataclass(frozen=True, slots=True)
class Ratio:
    """Hours over the reference's at the same attainment; bounds are None where too few resamples reach it."""

    value: float
    low: float | None
    high: float | None


def envelope(*, joint: Floats, hours: Floats) -> tuple[Floats, Floats]:
    """The points that no other one beats on both sides, by attainment ascending; their costs ascend as well."""
    order = np.lexsort((joint, -hours))[::-1]
    order = order[np.isfinite(joint[order])]
    best = np.maximum.accumulate(joint[order]) if len(order) else joint[order]
    rises = np.diff(best, prepend=-np.inf) > 0
    chosen = order[rises]
    return joint[chosen], hours[chosen]


def hours_at(attainment: float, *, joint: Floats, hours: Floats) -> float | None:
    """Cost at an attainment, by linear interpolation on the envelope; None where no setting reaches it.

    Where the cheapest setting does better already, its own cost: nothing is extrapolated.
    """
    reached, cost = envelope(joint=joint, hours=hours)
    if not len(reached) or attainment > reached[-1]:
        return None
    return float(np.interp(attainment, reached, cost))


def draws(*, seeds: int, blocks: int, within: bool, seed: int, resamples: int = RESAMPLES) -> Floats:
    """How often each block counts, (resamples, seeds, blocks): seeds are drawn with replacement.

    With `within`, so are the blocks of each drawn seed.
    """
    rng = np.random.default_rng((seed, seeds, blocks))
    drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    if within:
        return rng.multinomial(blocks * drawn, np.full(blocks, 1 / blocks)).astype(np.float64)
    return np.repeat(drawn[:, :, None], blocks, axis=2).astype(np.float64)


def ratio_at(attainment: float, *, policy: Trials, reference: Trials, weights: Floats) -> Ratio | None:
    """Hours of a policy over the reference's, with a paired interval; None where one of the two never gets there."""
    ours, theirs = (hours_at(attainment, joint=one.joint(), hours=one.hours()) for one in (policy, reference))
    if ours is None or theirs is None:
        return None
    sampled = [_sampled(attainment, one, weights) for one in (policy, reference)]
    ratios = sampled[0] / sampled[1]
    known = ratios[np.isfinite(ratios)]
    if len(known) < ENOUGH * len(ratios):
        return Ratio(ours / theirs, None, None)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Ratio(ours / theirs, float(low), float(high))


def _sampled(attainment: float, trials: Trials, weights: Floats) -> Floats:
    """Hours at the attainment in each resample; NaN where it is not reached."""
    curves = zip(trials.joint(weights), trials.hours(weights), strict=True)
    found = [hours_at(attainment, joint=joint, hours=hours) for joint, hours in curves]
    return np.array([np.nan if value is None else value for value in found])


def cheapest_reaching(attainment: float, *, joint: Mapping[float, float], hours: Mapping[float, float]) -> float | None:
    """The cheapest setting that reaches an attainment, by itself; None where none does."""
    reaching = [value for value in joint if joint[value] >= attainment]
    return min(reaching, key=lambda value: (hours[value], value), default=None)


def blocks_of(times: Floats, *, duration_s: float, blocks: int) -> Counts:
    """The block of time, from 0, in which each time falls; the last block holds its own end."""
    index = (times / max(duration_s, 1e-9) * blocks).astype(np.int64)
    return np.clip(index, 0, blocks - 1)


def by_block(*, index: Counts, weights: Floats | Sequence[float], blocks: int) -> Floats:
    return np.bincount(index, weights=np.asarray(weights, dtype=np.float64), minlength=blocks).astype(np.float64)
