"""Answers or prompts that are unlike those of the last week: told, and left out of the forecast where that is on.

Users who ask for answers without end, or a tenant who forges them, teach a forecaster demand that will not stay. So a
forecast can be made of lengths cut at the 99th percentile of the week's bins; bins whose ratio of output to prompt is
beyond `FLAGGED` times its own are taken with usual lengths then. Whatever is decided on present demand sees all.

What is NOT promised: to tell an attack from users who changed. What stays odd for `ACCEPT_S` is the new usual.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from foretide.policies.flow import OUTPUT_TOKENS, PROMPT_TOKENS, REQUESTS, DemandHistory, Floats, frozen

WEEK_S = 7 * 86400.0
QUANTILE = 0.99
FLAGGED = 5.0
ACCEPT_S = 3600.0
FEWEST_ROWS = 120.0
"""With fewer bins behind them, quantiles are guesses and nothing is cut."""
UNSETTLED = 2
"""Newest bins that may still be measured anew."""
TOLD_FACTOR, TOLD_ROWS = 1.2, 5
"""Lengths so far beyond their cut, in the median of so many newest bins, are told."""
SCREENS = False
"""Whether forecasts are made so. They are not: it saves GPUs, and everybody else's requests pay for it, since engines
serve long answers beside theirs all the same (docs/benchmarks/demand-attacks.md)."""
PROMPT, OUTPUT, RATIO = 0, 1, 2
LOWEST, PER_OCTAVE, OCTAVES = -12, 16, 36
"""Lengths are counted in bins of a sixteenth of an octave, from 2^-12 on."""


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What lengths were like: decayed counts of bins (3, ...) of prompt, output and their ratio, per request."""

    counts: Floats
    until: float = float("-inf")
    """End of the newest bin that is counted."""
    odd_since: float | None = None

    @property
    def rows(self) -> float:
        return float(self.counts[PROMPT].sum())

    def quantile(self, kind: int, share: float) -> float:
        """Upper edge of the bin in which the share is reached; infinite with too little behind it."""
        if self.rows < FEWEST_ROWS:
            return float("inf")
        heaped = np.cumsum(self.counts[kind])
        place = int(np.searchsorted(heaped, share * heaped[-1] - 1e-9))
        return float(2.0 ** (LOWEST + (place + 1) / PER_OCTAVE))


@dataclass(frozen=True, slots=True, eq=False)
class Screened:
    """The history for a forecaster, and what is odd about the newest lengths, in words; empty where nothing is."""

    history: DemandHistory
    odd: str = ""


def usual() -> Usual:
    """Before anything was seen."""
    return Usual(frozen(np.zeros((3, PER_OCTAVE * OCTAVES))))


def learned(known: Usual, history: DemandHistory) -> Usual:
    """With the settled bins of the history that are newer than what is known."""
    ends = history.start + history.step * np.arange(1, len(history.values) + 1)
    lengths = _lengths(history.values)
    fresh = np.flatnonzero(np.isfinite(lengths).all(axis=1) & (ends > known.until + 1e-6))
    fresh = fresh[fresh < len(ends) - UNSETTLED]
    keep = 0.5 ** (history.step / (WEEK_S / 2))
    for row in fresh.tolist():
        known = _counted(known, lengths[row], at=float(ends[row]), keep=keep)
    return known


def screened(known: Usual, history: DemandHistory) -> Screened:
    """Lengths of every bin cut at what is usual; requests stay as they are, and so do gaps."""
    caps = np.array([known.quantile(kind, QUANTILE) for kind in (PROMPT, OUTPUT, RATIO)])
    if not np.isfinite(caps).all() or not len(history.values):
        return Screened(history)
    lengths = _lengths(history.values)
    flagged = lengths[:, RATIO] > FLAGGED * caps[RATIO]
    middle = np.array([known.quantile(kind, 0.5) for kind in (PROMPT, OUTPUT)])
    cut = np.where(flagged[:, None], middle, np.minimum(lengths[:, :RATIO], caps[:RATIO]))
    changed = np.isfinite(lengths).all(axis=1) & (cut < lengths[:, :RATIO]).any(axis=1)
    if not changed.any():
        return Screened(history)
    values = history.values.copy()
    for kind, column in ((PROMPT, PROMPT_TOKENS), (OUTPUT, OUTPUT_TOKENS)):
        values[changed, column] = np.minimum(cut, lengths[:, :RATIO])[changed, kind] * values[changed, REQUESTS]
    return Screened(replace(history, values=frozen(values)), _odd(lengths, caps))


def _counted(known: Usual, lengths: Floats, *, at: float, keep: float) -> Usual:
    caps = np.array([known.quantile(kind, QUANTILE) for kind in (PROMPT, OUTPUT, RATIO)])
    odd = bool((lengths > TOLD_FACTOR * caps).any())
    since = (known.odd_since if known.odd_since is not None else at) if odd else None
    accepted = since is None or at - since >= ACCEPT_S
    places = _places(lengths if accepted else np.minimum(lengths, caps))
    counts = keep * known.counts
    counts[np.arange(3), places] += 1.0
    return Usual(frozen(counts), at, since)


def _places(lengths: Floats) -> NDArray[np.int64]:
    exact = (np.log2(np.maximum(lengths, 2.0**LOWEST)) - LOWEST) * PER_OCTAVE
    # A length at the upper edge of its bin, as a cap is, belongs to that bin.
    places: NDArray[np.int64] = np.clip(np.ceil(exact - 1e-6) - 1, 0, PER_OCTAVE * OCTAVES - 1).astype(np.int64)
    return places


def _lengths(values: Floats) -> Floats:
    """Prompt and output tokens of a request, and their ratio, in the mean of each bin; (T, 3), NaN where unknown."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        prompt = values[:, PROMPT_TOKENS] / values[:, REQUESTS]
        output = values[:, OUTPUT_TOKENS] / values[:, REQUESTS]
        lengths = np.column_stack([prompt, output, output / np.maximum(prompt, 1.0)])
    lengths[~np.isfinite(lengths).all(axis=1)] = np.nan
    return lengths


def _odd(lengths: Floats, caps: Floats) -> str:
    known = lengths[np.isfinite(lengths).all(axis=1)][-TOLD_ROWS:]
    if len(known) < TOLD_ROWS:
        return ""
    newest = np.median(known, axis=0)
    if newest[RATIO] > FLAGGED * caps[RATIO]:
        return (
            f"answers have {newest[RATIO]:.3g} tokens for each of the prompt, more than {FLAGGED:g} times the "
            f"{caps[RATIO]:.3g} below which 99 % of the last week lie"
        )
    for kind, name in ((OUTPUT, "answers"), (PROMPT, "prompts")):
        if newest[kind] > TOLD_FACTOR * caps[kind]:
            mean, most = f"{newest[kind]:.0f} tokens in the mean", f"{caps[kind]:.0f}"
            return f"{name} have {mean}, 99 % of the last week had at most {most}"
    return ""
