"""From scraped engine counters to what users asked for, on an even grid.

Arrivals are completions, plus the growth of what runs and waits, plus what was turned away, so that a saturated engine
does not hide demand. A counter reset drops its interval, a missed stretch stays a gap, flat counters of a live engine
are real idleness. A row is marked as censored where users may have asked for more than it says (see `censoring.py`).

What is NOT promised: demand that never reached an engine (held or refused by a gateway) is not seen here. A request
that an engine took and then failed may be counted as finished and as turned away: twice, which errs to the safe side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from foretide.policies.censoring import STANDS, Pressure, at_limit, censored, queued
from foretide.policies.flow import (
    INDICATORS,
    OUTPUT_TOKENS,
    PROMPT_TOKENS,
    REQUESTS,
    DemandHistory,
    Floats,
    Trust,
    frozen,
)

INDICATED = len(INDICATORS)
FUTURE_TOLERANCE_S = 15.0
NEEDED_COVERAGE = 0.9
LENGTH_MEMORY = 0.9
"""Weight of the previous bin's finished requests in the running mean of lengths."""


@dataclass(frozen=True, slots=True, eq=False)
class EngineSamples:
    """One pod's engine counters as scraped: arrays of one length n, `at` ascending, in seconds.

    `finished`, `prompt_tokens` and `output_tokens` are cumulative; the token counts are those OF FINISHED requests.
    `running` and `waiting` are gauges. `rejected` (turned away, never taken in), `aborted` (a part of `finished`: whose
    client went away), `gap_s` and `gaps` (sum in seconds and count of the times between two tokens) are cumulative, and
    None where the engine does not expose them.
    """

    at: Floats
    finished: Floats
    running: Floats
    waiting: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    rejected: Floats | None = None
    aborted: Floats | None = None
    gap_s: Floats | None = None
    gaps: Floats | None = None

    def columns(self) -> tuple[Floats, ...]:
        """All that is there."""
        always = (self.finished, self.running, self.waiting, self.prompt_tokens, self.output_tokens)
        return (*always, *(column for column in (self.rejected, self.aborted) if column is not None))


@dataclass(frozen=True, slots=True, eq=False)
class _Binned:
    """Sums per grid bin of one or more pods: each array has shape (bins,)."""

    arrivals: Floats
    finished: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    measured_s: Floats
    alive_s: Floats
    rejected: Floats
    aborted: Floats
    queued_s: Floats
    unseen_s: Floats
    full: Floats

    def __add__(self, other: "_Binned") -> "_Binned":
        return _Binned(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def pressure(self) -> Pressure:
        return Pressure(*(getattr(self, field.name) for field in fields(Pressure)))


def demand_history(
    *,
    pods: Mapping[str, EngineSamples],
    start: float,
    end: float,
    step: float,
    scrape_s: float,
    previous: DemandHistory | None = None,
    expected_pods: int | None = None,
    keep_s: float = 2 * 86400.0,
) -> DemandHistory:
    """Demand on whole bins of [start, end], merged behind `previous`; `end` is now.

    Bins are aligned to multiples of `step`. Rows of `previous` are kept up to `keep_s` seconds; a newly measured bin
    replaces an older one, a gap never does. Lengths are a running mean over finished requests; before the first
    request has finished, arrivals without known lengths are a gap.
    """
    first, last = int(np.ceil(start / step - 1e-9)), int(np.floor(end / step + 1e-9))
    edges = np.arange(first, max(first, last) + 1, dtype=np.float64) * step
    trust, why = _trust(pods, end, scrape_s, expected_pods)
    readable = {name: samples for name, samples in pods.items() if _is_sound(samples, end)}
    rows, hidden = _rows(readable, edges, step, scrape_s, previous)
    values, begin = _merged(rows, first, step, previous, keep_s)
    unseen = _leading_gaps(values)
    values, begin = values[unseen:], begin + unseen
    return DemandHistory(
        start=begin * step,
        step=step,
        values=frozen(values[:, :INDICATED]),
        trust=trust,
        why=why,
        censored=frozen(np.nan_to_num(values[:, INDICATED])),
        hidden=_still_hidden(hidden, rows, previous),
    )


def _still_hidden(now: str, rows: Floats, previous: DemandHistory | None) -> str:
    """What is said now, unless only earlier rows are censored: then what was said of those."""
    before = previous is not None and bool(previous.flags.any()) and not (rows[:, INDICATED] > 0).any()
    return previous.hidden if previous is not None and before else now


def _rows(
    pods: Mapping[str, EngineSamples], edges: Floats, step: float, scrape_s: float, previous: DemandHistory | None
) -> tuple[Floats, str]:
    """Demand per second and, behind it, 1 where it is censored: (bins, 4); and what may be hidden, in words."""
    bins = len(edges) - 1
    rows = np.full((bins, INDICATED + 1), np.nan)
    if not pods or bins < 1:
        return rows, ""
    newest = max(float(samples.at[-1]) for samples in pods.values())
    binned = [
        _binned(samples, edges, scrape_s, step, lives_on=newest - samples.at[-1] <= 2 * scrape_s)
        for samples in pods.values()
    ]
    total = sum(binned[1:], binned[0])
    known = (total.alive_s >= NEEDED_COVERAGE * step) & (total.measured_s >= NEEDED_COVERAGE * total.alive_s)
    prompt, output = _mean_lengths(total, previous)
    rate = np.maximum(total.arrivals, 0.0) / np.where(known, step, np.nan)
    # A bin is scaled up by what was not measured in it, at most by 1 / NEEDED_COVERAGE.
    rate = rate * total.alive_s / np.where(total.measured_s > 0, total.measured_s, np.nan)
    rows[:, REQUESTS] = rate
    rows[:, PROMPT_TOKENS] = np.where(rate == 0, 0.0, rate * prompt)
    rows[:, OUTPUT_TOKENS] = np.where(rate == 0, 0.0, rate * output)
    rows[:, INDICATED], hidden = censored(total.pressure)
    rows[~np.isfinite(rows).all(axis=1)] = np.nan
    return rows, hidden


def _binned(samples: EngineSamples, edges: Floats, scrape_s: float, step: float, *, lives_on: bool) -> _Binned:
    """`lives_on`: what follows the last sample was not measured yet, rather than not there any more."""
    at = samples.at
    inflight = samples.running + samples.waiting
    seconds = np.diff(at)
    rejected, aborted = (np.zeros(len(at)) if one is None else one for one in (samples.rejected, samples.aborted))
    counters = {
        "finished": samples.finished,
        "prompt_tokens": samples.prompt_tokens,
        "output_tokens": samples.output_tokens,
        "rejected": rejected,
        "aborted": aborted,
    }
    deltas = {name: np.diff(counter) for name, counter in counters.items()}
    whole = np.ones(len(seconds), dtype=bool)
    for delta in deltas.values():
        whole &= delta >= 0
    deltas |= {
        "arrivals": np.diff(samples.finished + inflight + rejected),
        "queued_s": seconds * queued(samples.waiting),
    }
    whole &= seconds <= max(3 * scrape_s, step) + 1e-9
    sums = {name: _spread(at, np.where(whole, delta, 0.0), edges) for name, delta in deltas.items()}
    sums["arrivals"] += _newborn(samples, inflight, edges, scrape_s)
    measured_s = _spread(at, np.where(whole, seconds, 0.0), edges)
    still_s = _spread(at, np.where(whole & at_limit(samples.waiting, samples.finished), seconds, 0.0), edges)
    return _Binned(
        **sums,
        measured_s=measured_s,
        alive_s=_alive(at, edges, lives_on=lives_on),
        unseen_s=measured_s if samples.rejected is None else np.zeros(len(measured_s)),
        full=((measured_s > 0) & (still_s >= STANDS * measured_s)).astype(np.float64),
    )


def _alive(at: Floats, edges: Floats, *, lives_on: bool) -> Floats:
    """Seconds of each bin in which the pod was there."""
    end = max(float(edges[-1]), float(at[-1])) if lives_on else float(at[-1])
    return np.diff(np.clip(edges, at[0], max(end, float(at[0]))))


def _spread(at: Floats, amounts: Floats, edges: Floats) -> Floats:
    """Amounts of the intervals between `at`, spread evenly in time over the bins between `edges`."""
    if len(at) < 2:
        return np.zeros(len(edges) - 1)
    return np.diff(np.interp(edges, at, np.concatenate([[0.0], np.cumsum(amounts)])))


def _newborn(samples: EngineSamples, inflight: Floats, edges: Floats, scrape_s: float) -> Floats:
    """What a pod already held when it was first seen arrived within its first scrape interval.

    Only in-flight requests are counted, not the finished ones: a pod that was merely out of sight would otherwise
    bring back its whole past.
    """
    born = float(samples.at[0])
    amounts = np.zeros(len(edges) - 1)
    index = int(np.searchsorted(edges, born, side="right")) - 1
    if born > edges[0] + 1.5 * scrape_s and 0 <= index < len(amounts):
        amounts[index] = inflight[0]
    return amounts


def _mean_lengths(total: _Binned, previous: DemandHistory | None) -> tuple[Floats, Floats]:
    """Running means of prompt and output tokens per finished request, per bin; NaN before any is known."""
    prompt, output = np.full(len(total.finished), np.nan), np.full(len(total.finished), np.nan)
    weight, prompts, outputs = _lengths_before(previous)
    for i in range(len(total.finished)):
        weight = LENGTH_MEMORY * weight + total.finished[i]
        prompts = LENGTH_MEMORY * prompts + total.prompt_tokens[i]
        outputs = LENGTH_MEMORY * outputs + total.output_tokens[i]
        if weight > 0:
            prompt[i], output[i] = prompts / weight, outputs / weight
    return prompt, output


def _lengths_before(previous: DemandHistory | None) -> tuple[float, float, float]:
    """A unit of weight at the newest mean lengths of the earlier history, so that a quiet bin still has lengths."""
    if previous is None or not len(previous.values):
        return 0.0, 0.0, 0.0
    busy = np.flatnonzero(previous.values[:, REQUESTS] > 0)
    if not len(busy):
        return 0.0, 0.0, 0.0
    row = previous.values[busy[-1]]
    return 1.0, float(row[PROMPT_TOKENS] / row[REQUESTS]), float(row[OUTPUT_TOKENS] / row[REQUESTS])


def _merged(rows: Floats, first: int, step: float, previous: DemandHistory | None, keep_s: float) -> tuple[Floats, int]:
    """The rows laid over the earlier history, and the grid index at which the result begins."""
    if previous is None or not len(previous.values) or previous.step != step:
        return rows, first
    before = round(previous.start / step)
    last = max(first + len(rows), before + len(previous.values))
    begin = max(min(before, first), last - max(1, int(keep_s / step)))
    values = np.full((last - begin, INDICATED + 1), np.nan)
    _lay(values, np.column_stack([previous.values, previous.flags]), before - begin)
    _lay(values, rows, first - begin)
    return values, begin


def _leading_gaps(values: Floats) -> int:
    """Rows before the first measured one: nobody looked yet, which is not the same as a gap. One row is kept."""
    known = np.flatnonzero(np.isfinite(values[:, REQUESTS]))
    return int(known[0]) if len(known) else max(0, len(values) - 1)


def _lay(values: Floats, rows: Floats, offset: int) -> None:
    """Writes the known rows into `values` from row `offset` on; what falls outside is dropped."""
    rows, offset = (rows[-offset:], 0) if offset < 0 else (rows, offset)
    known = np.flatnonzero(np.isfinite(rows).all(axis=1))
    values[offset + known] = rows[known]


def _is_sound(samples: EngineSamples, now: float) -> bool:
    """Finite, non-negative, ascending, not from the future."""
    if not len(samples.at) or not np.isfinite(samples.at).all():
        return False
    if samples.at[-1] > now + FUTURE_TOLERANCE_S or bool((np.diff(samples.at) <= 0).any()):
        return False
    return all(bool(np.isfinite(column).all()) and bool((column >= 0).all()) for column in samples.columns())


def _trust(
    pods: Mapping[str, EngineSamples], now: float, scrape_s: float, expected_pods: int | None
) -> tuple[Trust, str]:
    if not pods:
        return Trust.ABSENT, "no engine reports"
    sound = [samples for samples in pods.values() if _is_sound(samples, now)]
    if not sound:
        return Trust.INVALID, "every engine reports impossible values"
    fresh = sum(1 for samples in sound if now - samples.at[-1] <= 2 * scrape_s)
    if not fresh:
        age = now - max(float(samples.at[-1]) for samples in sound)
        return Trust.STALE, f"newest sample is {age:.0f} s old, scrapes come every {scrape_s:.0f} s"
    expected = expected_pods if expected_pods is not None else fresh
    if fresh < NEEDED_COVERAGE * expected:
        return Trust.PARTIAL, f"{fresh} of {expected} ready pods report"
    if len(sound) < len(pods):
        return Trust.PARTIAL, f"{len(pods) - len(sound)} of {len(pods)} engines report impossible values"
    return Trust.FRESH, ""
