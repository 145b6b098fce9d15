"""Ranks and quantiles of a sample that go on beyond its ends, so that an outcome outside it still says how far outside.

Sample i of K, ascending, has rank (i + 1/2) / K (Hazen's plotting position); between samples ranks are linear. Beyond
the largest, half a unit of rank is the distance from the median to the largest; below the smallest likewise.

What is NOT promised: a meaning of probability outside [0, 1]. There a rank is a distance, cut at `REACH` beyond.
"""

from dataclasses import dataclass

import numpy as np

from foretide.forecaster.past import Flags, Indices
from foretide.policies.flow import Floats

REACH = 2.0
"""Farthest rank beyond 0 and 1. An outcome four half-widths outside every path is as far out as any."""
KEPT = 64
"""Order statistics that stand for a sample until its outcome is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """Some order statistics of a sample: `values` (M, ...) ascending along axis 0, at `ranks` (M,) of the whole."""

    values: Floats
    ranks: Floats

    def rank(self, actual: Floats, *, tie: float = 0.5) -> Floats:
        """Extended ranks of the outcomes (...): in [-REACH, 1 + REACH]; NaN where the outcome is missing.

        Among equal samples the rank is `tie` in [0, 1] of the way through them: the randomised PIT (Czado, Gneiting
        and Held 2009, section 2), which keeps ranks uniform where demand is often exactly zero.
        """
        outcome = np.asarray(actual, dtype=np.float64)
        below, upto = (self.values < outcome).sum(axis=0), (self.values <= outcome).sum(axis=0)
        edges = np.concatenate([[0.0], (self.ranks[1:] + self.ranks[:-1]) / 2, [1.0]])
        rank = np.where(upto > below, edges[below] + tie * (edges[upto] - edges[below]), self._between(outcome, below))
        rank = np.where((below == len(self.ranks)) | (upto == 0), self._outside(outcome, below > 0), rank)
        return np.where(np.isfinite(outcome), np.clip(rank, -REACH, 1.0 + REACH), np.nan)

    def at(self, rank: float) -> Floats:
        """The value (...) at a rank within the sample."""
        place = float(np.interp(rank, self.ranks, np.arange(len(self.ranks))))
        left = int(place)
        right = min(left + 1, len(self.ranks) - 1)
        return np.asarray(self.values[left] + (place - left) * (self.values[right] - self.values[left]))

    def _between(self, outcome: Floats, below: Indices) -> Floats:
        """Linear between the neighbours; whatever where there is none."""
        last = len(self.ranks) - 1
        left, right = np.clip(below - 1, 0, last), np.clip(below, 0, last)
        low = np.take_along_axis(self.values, left[None], axis=0)[0]
        gap = np.take_along_axis(self.values, right[None], axis=0)[0] - low
        share = np.divide(outcome - low, gap, out=np.zeros_like(outcome), where=gap > 0)
        return np.asarray(self.ranks[left] + share * (self.ranks[right] - self.ranks[left]), dtype=np.float64)

    def _outside(self, outcome: Floats, above: Flags) -> Floats:
        up, down = half_widths(self.values)
        beyond = np.where(above, outcome - self.values[-1], self.values[0] - outcome)
        width = np.where(above, up, down)
        # Beyond a sample without any width, or one so narrow that the ratio overflows, every distance is the farthest.
        with np.errstate(over="ignore"):
            units = np.divide(beyond, 2.0 * width, out=np.full_like(beyond, np.inf), where=width > 0)
        return np.asarray(np.where(above, self.ranks[-1] + units, self.ranks[0] - units), dtype=np.float64)


def sketch(sample: Floats, *, kept: int = KEPT) -> Sketch:
    """The sample (K, ...) by at most `kept` of its order statistics, both ends among them."""
    count = len(sample)
    picks = np.linspace(0, count - 1, min(kept, count)).round().astype(np.int64)
    return Sketch(np.sort(sample, axis=0)[picks], (picks + 0.5) / count)


def half_widths(ascending: Floats) -> tuple[Floats, Floats]:
    """Distances from the median to the largest and to the smallest, each at least a tenth of the other."""
    middle = np.median(ascending, axis=0)
    up, down = ascending[-1] - middle, middle - ascending[0]
    return np.maximum(up, 0.1 * down), np.maximum(down, 0.1 * up)


def values_at(ascending: Floats, ranks: Floats) -> Floats:
    """The inverse for a whole sample (K, ...), ascending: values (R, ...) at extended ranks (R,)."""
    count = len(ascending)
    place = ranks * count - 0.5
    inside = np.clip(place, 0.0, count - 1.0)
    left = np.floor(inside).astype(np.int64)
    right = np.minimum(left + 1, count - 1)
    shape = (len(ranks),) + (1,) * (ascending.ndim - 1)
    share, beyond = (inside - left).reshape(shape), ((place - inside) / count).reshape(shape)
    up, down = half_widths(ascending)
    inner = ascending[left] + share * (ascending[right] - ascending[left])
    return np.asarray(inner + 2.0 * np.where(beyond > 0, up, down) * beyond, dtype=np.float64)
