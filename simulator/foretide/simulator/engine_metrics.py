"""What one engine has counted: vLLM's counters and histograms, with the buckets of its V1 engine (vllm/v1/metrics).

The twin's /metrics page and the view of a policy in a replay are made from the same counts. Times are the engine's own:
they begin when a request reaches it, not when a client sent it.

What is NOT promised: single gaps between tokens, which the simulator does not keep. Inter-token latency counts each
request's mean once per token. A request is counted when it ends, so its TTFT comes later than vLLM shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from foretide.policies.flow import Floats, frozen
from foretide.simulator.member import Observation

TTFT_S = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1,
    2.5,
    5,
    7.5,
    10,
    20,
    40,
    80,
    160,
    640,
    2560,
)
TOKEN_GAP_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
REQUEST_S = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
TOKENS = tuple(float(digit * 10**power) for power in range(6) for digit in (1, 2, 5))


@dataclass(frozen=True, slots=True, eq=False)
class HistogramSample:
    """One histogram as scraped: counts since the engine's start, by bucket."""

    bounds: Floats
    """Upper bounds of the buckets, (B,), ascending; the last bucket, up to infinity, has none."""
    counts: Floats
    """Values per bucket, (B + 1,), not cumulated."""
    sum: float

    @property
    def count(self) -> float:
        return float(self.counts.sum())

    def since(self, before: "HistogramSample | None") -> "HistogramSample":
        """What was added after `before`; all of it where that is None or counts more: the engine started anew."""
        if before is None or before.count > self.count:
            return self
        return HistogramSample(self.bounds, self.counts - before.counts, self.sum - before.sum)

    def quantile(self, share: float) -> float | None:
        """As Prometheus' `histogram_quantile`: linear within the bucket, from 0 in the first one; the largest bound
        where it lies beyond. None where nothing was counted.
        """
        rank, upto = share * self.count, np.cumsum(self.counts)
        if not self.count:
            return None
        index = int(np.searchsorted(upto, rank, side="left"))
        if index >= len(self.bounds):
            return float(self.bounds[-1])
        low, before = (self.bounds[index - 1], upto[index - 1]) if index else (0.0, 0.0)
        return float(low + (self.bounds[index] - low) * (rank - before) / max(self.counts[index], 1e-12))


class Histogram:
    """Counts of values below growing bounds, as Prometheus wants them."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = np.array(bounds)
        self._counts = np.zeros(len(bounds) + 1)
        self.sum = 0.0

    def add(self, values: Floats, weights: Floats | None = None) -> None:
        """Each value counts `weights` times (once by default); NaN, which is no value, not at all."""
        weights = np.ones(len(values)) if weights is None else weights
        known = np.isfinite(values)
        np.add.at(self._counts, np.searchsorted(self._bounds, values[known], side="left"), weights[known])
        self.sum += float(values[known] @ weights[known])

    def sample(self) -> HistogramSample:
        return HistogramSample(self._bounds, frozen(self._counts.copy()), self.sum)

    @property
    def buckets(self) -> list[tuple[str, float]]:
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(bounds, np.cumsum(self._counts).tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """Requests that an engine has finished: arrays of one length, in seconds and tokens."""

    ttft_s: Floats
    tpot_s: Floats
    """NaN for a request of one output token."""
    e2e_s: Floats
    prompt_tokens: Floats
    output_tokens: Floats

    @classmethod
    def of(cls, seen: Sequence[Observation]) -> "Finished":
        columns = ([getattr(one, column.name) for one in seen] for column in fields(cls))
        return cls(*(np.array(column, dtype=np.float64) for column in columns))


@dataclass(frozen=True, slots=True, eq=False)
class EngineHistograms:
    """The histograms of one engine as of one scrape, under the names that `EngineMetrics` gives them."""

    ttft: HistogramSample
    tpot: HistogramSample
    gaps: HistogramSample
    e2e: HistogramSample
    prompts: HistogramSample
    outputs: HistogramSample


@dataclass(slots=True)
class EngineMetrics:
    """All that one engine has counted since it started."""

    running: int = 0
    waiting: int = 0
    kv_usage: float = 0.0
    finished: float = 0.0
    prompt_tokens: float = 0.0
    output_tokens: float = 0.0
    ttft: Histogram = field(default_factory=lambda: Histogram(TTFT_S))
    tpot: Histogram = field(default_factory=lambda: Histogram(TOKEN_GAP_S))
    gaps: Histogram = field(default_factory=lambda: Histogram(TOKEN_GAP_S))
    e2e: Histogram = field(default_factory=lambda: Histogram(REQUEST_S))
    prompts: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    outputs: Histogram = field(default_factory=lambda: Histogram(TOKENS))

    def add(self, done: Finished) -> None:
        self.finished += len(done.e2e_s)
        self.prompt_tokens += float(done.prompt_tokens.sum())
        self.output_tokens += float(done.output_tokens.sum())
        self.ttft.add(done.ttft_s)
        self.tpot.add(done.tpot_s)
        self.gaps.add(done.tpot_s, done.output_tokens - 1)
        self.e2e.add(done.e2e_s)
        self.prompts.add(done.prompt_tokens)
        self.outputs.add(done.output_tokens)

    def sample(self) -> EngineHistograms:
        """What a scrape would bring now; it does not change afterwards."""
        return EngineHistograms(*(getattr(self, one.name).sample() for one in fields(EngineHistograms)))
