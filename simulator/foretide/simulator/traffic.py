"""What rivals measure of the traffic: a rate and mean lengths over their own window, as their queries give them.

Two readings. `completed` is what a query like sum(rate(vllm:request_success_total[1m])) sees: requests that finished,
so that a saturated engine hides demand. `arrived` counts arrivals, as a frontend does.

What is NOT promised: requests at the door. Those that no replica has taken yet are in neither reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from foretide.policies.demand import EngineSamples, demand_history
from foretide.policies.flow import OUTPUT_TOKENS, PROMPT_TOKENS, REQUESTS, Floats
from foretide.simulator.autoscaler import View
from foretide.simulator.scenario import Pace

EXTRAPOLATED = 1.1
"""Prometheus reaches out to a window's edge where it lies within this many mean intervals of the nearest sample."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests/s and mean tokens per request; the lengths are NaN where no request came."""

    requests: float
    prompt_tokens: float
    output_tokens: float

    @property
    def row(self) -> Floats:
        """As demand per second, shape (3,)."""
        if self.requests <= 0:
            return np.zeros(3)
        return self.requests * np.array([1.0, self.prompt_tokens, self.output_tokens])


def of_row(row: Floats) -> Traffic:
    """Demand per second, shape (3,), as a rate and mean lengths."""
    rate = float(row[REQUESTS])
    if rate <= 0:
        return Traffic(0.0, np.nan, np.nan)
    return Traffic(rate, float(row[PROMPT_TOKENS]) / rate, float(row[OUTPUT_TOKENS]) / rate)


def arrived(view: View, *, window_s: float, pace: Pace) -> Traffic | None:
    """Mean arrivals over the whole bins of the last `window_s` seconds; None where none of them was measured."""
    rows = measured_rows(view, window_s=window_s, pace=pace)
    known = rows[np.isfinite(rows[:, REQUESTS])]
    return of_row(known.mean(axis=0)) if len(known) else None


def measured_rows(view: View, *, window_s: float, pace: Pace) -> Floats:
    """Demand per second in bins of `pace.step_s` over the last `window_s` seconds, shape (T, 3); gaps are NaN."""
    history = demand_history(
        pods=view.samples(),
        start=view.now - window_s - pace.step_s,
        end=view.now,
        step=pace.step_s,
        scrape_s=pace.scrape_s,
        expected_pods=view.ready,
    )
    return history.values[-max(1, round(window_s / pace.step_s)) :]


def completed(samples: Mapping[str, EngineSamples], *, now: float, window_s: float) -> Traffic | None:
    """Finished requests/s and their mean lengths over a window; None where no replica has two samples in it."""
    rates = [
        [_rate(pod.at, column, now=now, window_s=window_s) for column in _counters(pod)] for pod in samples.values()
    ]
    known = [rate for rate in rates if not np.isnan(rate[0])]
    return of_row(np.sum(known, axis=0)) if known else None


def _counters(pod: EngineSamples) -> tuple[Floats, Floats, Floats]:
    return pod.finished, pod.prompt_tokens, pod.output_tokens


def _rate(at: Floats, counter: Floats, *, now: float, window_s: float) -> float:
    """Prometheus' rate() of a counter without resets: the increase, reached out towards the window's edges, per s."""
    inside = at > now - window_s
    at, counter = at[inside], counter[inside]
    if len(at) < 2:
        return float("nan")
    sampled = float(at[-1] - at[0])
    mean = sampled / (len(at) - 1)
    increase = float(counter[-1] - counter[0])
    before, after = (
        gap if gap < EXTRAPOLATED * mean else mean / 2 for gap in (float(at[0]) - (now - window_s), now - float(at[-1]))
    )
    if increase > 0:
        # Not further back than to where the counter would have been at zero.
        before = min(before, sampled * float(counter[0]) / increase)
    return increase * (before + sampled + after) / sampled / window_s
