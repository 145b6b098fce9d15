"""An engine's own metrics, scrape by scrape: how long its steps took while so much was going on.

Between two scrapes the counters give tokens per second in and out and the mean time between tokens; Little's law gives
the batch, the gauge of the cache the mean context of a request over the whole range. With f the share of steps that
hold prefill, r requests per second and q prompt tokens in such a step, the mean step T solves

    T = D + f (M - D),   f = 1 - exp(-r T),   q = min(p T / f, chunk - n),   M = max(D, a' + b' (n + q) + c' q L + c C)

with D the decode step, p prompt tokens per second and L the mean prompt: steps meet requests at random.

What is NOT promised: waiting. TTFT of a histogram holds the queue, which means of a window cannot tell; it is not used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretide.policies.flow import Floats, frozen
from foretide.simulator.observed import Observed, bounds, folds
from foretide.simulator.profiles import FitRanges, StepTimes
from foretide.simulator.requests import BadTrace

ROUNDS = 30
"""Of the fixed point; each takes off at least the share of steps with prefill."""
BLOCK = 10
"""Windows that follow each other are held out together: they share their requests."""
FEWEST_TOKENS = 50.0
"""A window with fewer is an idle engine: its means say little."""
BETWEEN = ("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds")
USAGE = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
PROMPTS = "vllm:prompt_tokens_total"
LENGTHS = "vllm:request_prompt_tokens"
NEEDED = (f"{BETWEEN[0]}_sum", f"{BETWEEN[0]}_count", USAGE[0], PROMPTS)


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Means between scrapes, (m,) each."""

    step_ms: Floats
    decodes: Floats
    cache_used: Floats
    """Share of the KV cache, 0 to 1."""
    prompt_tokens_per_s: Floats
    mean_prompt: float
    """Tokens of a prompt."""

    def predicted(self, steps: StepTimes, *, chunk: int, kv_tokens: int) -> Floats:
        """Mean step in milliseconds, (m,)."""
        n, context = self.decodes, self.cache_used * kv_tokens
        experts = np.array([steps.experts_ms(round(each)) for each in n]) if steps.expert_d_ms else 0.0
        decode = steps.decode_a_ms + steps.decode_b_ms * n + steps.decode_c_ms * context + experts
        requests_per_ms = self.prompt_tokens_per_s / self.mean_prompt / 1000.0
        room = np.maximum(chunk - n, 1.0)
        mean = decode
        for _ in range(ROUNDS):
            arrived = self.prompt_tokens_per_s / 1000.0 * mean
            share = 1.0 - np.exp(-requests_per_ms * mean)
            tokens = np.minimum(np.divide(arrived, share, out=np.zeros_like(mean), where=share > 0), room)
            full = np.minimum(np.divide(arrived, tokens, out=np.zeros_like(mean), where=tokens > 0), 1.0)
            prefill = steps.prefill_a_ms + steps.prefill_b_ms * (n + tokens)
            prefill = prefill + steps.prefill_c_ms * tokens * self.mean_prompt + steps.decode_c_ms * context
            mean = decode + full * (np.maximum(decode, prefill) - decode)
        return frozen(mean)


def observe_windows(windows: Windows, *, chunk: int, kv_tokens: int, name: str = "windows") -> Observed:
    """Mean steps as a fit sees them."""
    count = len(windows.step_ms)

    def predict(steps: StepTimes) -> Floats:
        return windows.predicted(steps, chunk=chunk, kv_tokens=kv_tokens)

    each = np.divide(windows.cache_used * kv_tokens, windows.decodes)
    return Observed(
        measured_ms=windows.step_ms,
        metric=np.full(count, "tpot"),
        weight=frozen(np.ones(count)),
        fold=folds(np.arange(count) // BLOCK),
        predict=predict,
        ranges=FitRanges(batch=bounds(windows.decodes), context=bounds(each), prompt=None),
        described=f"{count} scrapes of {name}",
    )


def windows_of(raw: Mapping[str, Any], *, name: str) -> Windows:
    """The windows in the answer to a range query of Prometheus, all pods together. Raises BadTrace."""
    engines: dict[tuple[tuple[str, str], ...], dict[str, dict[float, float]]] = {}
    for series in _matrix(raw, name):
        labels = dict(series["metric"])
        metric = labels.pop("__name__", "")
        key = tuple(sorted(labels.items()))
        samples = {float(at): float(value) for at, value in series["values"]}
        engines.setdefault(key, {})[metric] = samples
    parts = [_engine(metrics) for metrics in engines.values()]
    rows = np.vstack([part for part in parts if part is not None] or [np.empty((0, 4))])
    if not len(rows):
        fix = f"query {', '.join(NEEDED)} of the same pods over one range"
        raise BadTrace(f"content: {name}: no scrape with {int(FEWEST_TOKENS)} tokens or more; {fix}")
    prompts, counts = (
        sum(_growth(metrics, f"{LENGTHS}_{end}") for metrics in engines.values()) for end in ("sum", "count")
    )
    mean = prompts / counts if counts > 0 else float("nan")
    if not np.isfinite(mean):
        raise BadTrace(f"content: {name}: {LENGTHS}_sum and _count missing; query them too, for the length of a prompt")
    step_ms, decodes, used, prompt_tokens = (frozen(column) for column in rows.T)
    # a gauge is one moment and its noise would pass for a small effect of the context; over the range it is a mean
    each = frozen(decodes * used.sum() / decodes.sum())
    return Windows(step_ms, decodes, each, prompt_tokens, mean)


def _matrix(raw: Mapping[str, Any], name: str) -> list[Any]:
    data = raw.get("data")
    if not isinstance(data, Mapping) or data.get("resultType") != "matrix" or not data.get("result"):
        raise BadTrace(f"content: {name}: no series; save the answer of Prometheus to a query_range")
    return list(data["result"])


def _engine(metrics: Mapping[str, Mapping[float, float]]) -> Floats | None:
    """(m, 4): step, decodes, share of the cache, prompt tokens per second; None without the metrics for it."""
    between = next((each for each in BETWEEN if f"{each}_sum" in metrics), None)
    usage = next((each for each in USAGE if each in metrics), None)
    names = (f"{between}_sum", f"{between}_count", str(usage), PROMPTS)
    needed = [metrics[each] for each in names if each in metrics]
    if len(needed) < len(names):
        return None
    times = sorted(set(needed[0]).intersection(*needed[1:]))
    table = np.array([[at, *(each[at] for each in needed)] for at in times]).reshape(-1, 5)
    change, took = np.diff(table, axis=0), np.diff(table[:, 0])
    cache = (table[1:, 3] + table[:-1, 3]) / 2.0
    # a counter that falls belongs to an engine that has begun again: what lies between is not known
    known = (change[:, [1, 2, 4]] >= 0).all(axis=1) & (change[:, 2] >= FEWEST_TOKENS) & np.isfinite(cache)
    known &= change[:, 1] > 0
    change, took, cache = change[known], took[known], cache[known]
    step_s = change[:, 1] / change[:, 2]
    return np.column_stack([1000.0 * step_s, change[:, 2] / took * step_s, cache, change[:, 4] / took])


def _growth(metrics: Mapping[str, Mapping[float, float]], metric: str) -> float:
    """By how much a counter has risen over the range, resets left out; 0 for one that was not queried."""
    samples = metrics.get(metric, {})
    values = np.array([samples[at] for at in sorted(samples)])
    return float(np.maximum(np.diff(values), 0.0).sum())
