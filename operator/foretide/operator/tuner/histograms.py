"""How many requests of a window were within each threshold, from the latency histograms of engines. Pure.

An engine counts TTFT and time per token apart, so that how many requests kept both is not known: at least as many as
the shares leave room for (1 - the sum of what missed), and that is what is counted. Between two bounds of a histogram
the count is taken to grow with the logarithm of the latency.

What is NOT promised: the share of requests where an engine counts tokens. SGLang's inter-token latency is one
observation a token, and stands in for its requests' times per token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log

import numpy as np

from foretide.operator.seams import Series
from foretide.policies.flow import Floats, Objective

NAMES: Mapping[str, Mapping[str, str]] = {
    "vllm": {
        "ttft": "vllm:time_to_first_token_seconds",
        "tpot": "vllm:request_time_per_output_token_seconds",
        "e2e": "vllm:e2e_request_latency_seconds",
    },
    "sglang": {
        "ttft": "sglang:time_to_first_token_seconds",
        "tpot": "sglang:inter_token_latency_seconds",
        "e2e": "sglang:e2e_request_latency_seconds",
    },
    "trtllm": {
        "ttft": "trtllm_time_to_first_token_seconds",
        "tpot": "trtllm_time_per_output_token_seconds",
        "e2e": "trtllm_e2e_request_latency_seconds",
    },
}
"""Engine -> metric of the objective -> histogram."""
Buckets = Mapping[float, float]
"""Upper bound in seconds -> observations up to it within a window, from the smallest bound to infinity."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """What keeps a share from being known."""

    text: str


def wanted(engine: str, objective: Objective) -> Mapping[str, str]:
    """Which histograms an objective is judged by: metric of the objective -> name. Empty where an engine has none."""
    names = NAMES.get(engine, {})
    return {metric: names[metric] for metric in objective.declared() if metric in names}


def share_within(buckets: Buckets, threshold_s: float) -> float | None:
    """The share of observations up to a threshold; None where there are none, or where no bound is beyond it."""
    bounds = sorted(buckets)
    if not bounds or bounds[-1] != inf or buckets[inf] <= 0:
        return None
    above = next(bound for bound in bounds if bound >= threshold_s)
    below = max((bound for bound in bounds if bound < threshold_s), default=0.0)
    if above == inf:
        return 1.0 if buckets.get(below, 0.0) >= buckets[inf] else None
    low, high = buckets.get(below, 0.0), buckets[above]
    part = threshold_s / above if not below else log(threshold_s / below) / log(above / below)
    return min(1.0, max(0.0, (low + part * (high - low)) / buckets[inf]))


def kept_share(found: Mapping[str, Buckets], objective: Objective) -> float | Lacking:
    """The least share of requests that can have kept every threshold."""
    missed = 0.0
    for metric, target in objective.declared().items():
        share = share_within(found.get(metric, {}), target.threshold_s)
        if share is None:
            return Lacking(f"how many requests kept {metric} {target.threshold_s:g}s cannot be told from its histogram")
        missed += 1.0 - share
    return max(0.0, 1.0 - missed)


def grown(at: Floats, values: Floats, *, start: float, end: float) -> float | None:
    """What a counter counted between the newest samples up to `start` and up to `end`; None with fewer than two.

    A value below the one before it is a new life, which began at nought.
    """
    sound = np.isfinite(values) & (at <= end)
    at, values = at[sound], values[sound]
    first = max(0, int(np.searchsorted(at, start, side="right")) - 1)
    values = values[first:]
    if len(values) < 2:
        return None
    steps = np.diff(values)
    return float(np.where(steps < 0, values[1:], steps).sum())


def bucket_sums(series: tuple[Series, ...], name: str, *, start: float, end: float) -> dict[str, Buckets]:
    """By pod: the buckets of one histogram, parts with other labels added up."""
    plain = f"{name}_bucket".replace(":", "_")
    found: dict[str, dict[float, float]] = {}
    for one in series:
        if one.metric.replace(":", "_") != plain or "le" not in one.labels:
            continue
        more = grown(one.at, one.values, start=start, end=end)
        if more is not None:
            told, bound = found.setdefault(one.labels.get("pod", ""), {}), float(one.labels["le"])
            told[bound] = told.get(bound, 0.0) + more
    return {pod: told for pod, told in found.items() if pod}
