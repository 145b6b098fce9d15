"""Measured times beside what a profile says of them: the one form in which a fit sees points, runs and closed loops.

What is NOT promised: that rows are independent. `weight` says how much each counts, and `fold` which rows are held out
together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from foretide.policies.flow import Floats, frozen
from foretide.simulator.profiles import FitRanges, Range, StepTimes

FOLDS = 5
ALWAYS = -1
"""Fold of rows that are never held out."""
Names = NDArray[np.str_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """All arrays have shape (m,); times are in milliseconds and above 0."""

    measured_ms: Floats
    metric: Names
    """decode, prefill, ttft or tpot."""
    weight: Floats
    fold: Numbers
    predict: Callable[[StepTimes], Floats]
    """Steps -> milliseconds, shape (m,), above 0."""
    ranges: FitRanges
    described: str

    def __len__(self) -> int:
        return len(self.measured_ms)

    def splits(self) -> list[NDArray[np.bool_]]:
        """One mask for each fold: the rows that are held out."""
        return [self.fold == fold for fold in np.unique(self.fold[self.fold != ALWAYS])]


def only(observed: Observed, metric: str) -> Observed:
    """The rows of one metric."""
    rows = observed.metric == metric

    def predict(steps: StepTimes) -> Floats:
        return frozen(observed.predict(steps)[rows])

    return replace(
        observed,
        measured_ms=frozen(observed.measured_ms[rows]),
        metric=observed.metric[rows],
        weight=frozen(observed.weight[rows]),
        fold=observed.fold[rows],
        predict=predict,
        described=f"{metric} of {observed.described}",
    )


def folds(groups: Numbers, count: int = FOLDS) -> Numbers:
    """A fold for each row, (m,): whole groups together, spread evenly in a fixed disorder."""
    names, index = np.unique(groups, return_inverse=True)
    shuffled = np.random.default_rng(0).permutation(len(names))
    return np.asarray(shuffled[index] % count, dtype=np.int64)


def repeats(groups: Numbers) -> Floats:
    """A weight for each row, (m,): the repetitions of one point count as one."""
    _, index, count = np.unique(groups, return_inverse=True, return_counts=True)
    return frozen(1.0 / np.sqrt(count[index]))


def joined(parts: Sequence[Observed]) -> Observed:
    """All rows of all parts, in order. There is at least one part."""

    def predict(steps: StepTimes) -> Floats:
        return frozen(np.concatenate([part.predict(steps) for part in parts]))

    return Observed(
        measured_ms=frozen(np.concatenate([part.measured_ms for part in parts])),
        metric=np.concatenate([part.metric for part in parts]),
        weight=frozen(np.concatenate([part.weight for part in parts])),
        fold=np.concatenate([part.fold for part in parts]),
        predict=predict,
        ranges=FitRanges(
            batch=_widest([part.ranges.batch for part in parts]),
            context=_widest([part.ranges.context for part in parts]),
            prompt=_widest([part.ranges.prompt for part in parts]),
        ),
        described=", ".join(part.described for part in parts),
    )


def bounds(values: Floats) -> Range | None:
    """Lowest and highest; None where there are none."""
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else None


def _widest(ranges: Sequence[Range | None]) -> Range | None:
    known = [each for each in ranges if each is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None
