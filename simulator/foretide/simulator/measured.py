"""Measured runs as a fit sees them: requests with their own times, or the mean times of a closed loop.

Both are predicted by simulating them, with the arrivals and lengths that they had. TPOT is all engine; TTFT holds the
queue too, which follows from the steps.

What is NOT promised: that a client's overhead is told from the engine's. A constant one ends in the prefill's constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from foretide.policies.flow import Floats, frozen
from foretide.simulator.calibrate import simulate
from foretide.simulator.closed import benchmark_lengths, serve_closed
from foretide.simulator.observed import ALWAYS, Observed, bounds, folds
from foretide.simulator.points import Points, observe_points
from foretide.simulator.profiles import Deployment, FitRanges, Range, StepTimes
from foretide.simulator.requests import RequestTrace
from foretide.simulator.windows import Windows, observe_windows

HELD_OUT = 3
"""One part in so many, the last by time: what comes later is predicted from what came before."""
TOGETHER = 5
"""Requests that came one after the other share their steps, and when one of them meets a step is chance: so many are
seen by their means."""
LEAST_SHARE = 0.8
"""Lengths of a closed loop are uniform from this share of the stated ones on (`--random-range-ratio`)."""
LOOP_FOLDS = 3
PER_CLIENT = 10
"""Requests of each client where a benchmark's number is not known (InferenceMAX). The burst at the beginning waits, and
its share of all requests is a part of the mean TTFT."""


@dataclass(frozen=True, slots=True, eq=False)
class TimedRun:
    """Requests in the order of their arrivals with the times that they had, in seconds, (n,); NaN is not measured."""

    trace: RequestTrace
    ttft_s: Floats
    tpot_s: Floats


@dataclass(frozen=True, slots=True)
class LoopPoint:
    """So many clients in a closed loop, and their mean times."""

    clients: int
    prompt_tokens: int
    output_tokens: int
    ttft_ms: float
    tpot_ms: float
    least_share: float = LEAST_SHARE
    requests: int | None = None
    """Of all clients together."""


Measurements = Points | Windows | TimedRun | tuple[LoopPoint, ...]


def observe(
    measured: Measurements,
    deployment: Deployment,
    *,
    first: int | None = None,
    replicas: int = 1,
    name: str,
) -> Observed:
    """Any of them; `name` is the file's. Raises ValueError for requests that never fit into the cache."""
    if isinstance(measured, Points):
        return observe_points(measured, name=name)
    if isinstance(measured, Windows):
        room = deployment.kv_tokens or deployment.profile.kv_tokens
        return observe_windows(measured, chunk=deployment.chunk, kv_tokens=room, name=name)
    if isinstance(measured, TimedRun):
        return observe_run(measured, deployment, first=first, replicas=replicas, name=name)
    return observe_loops(measured, deployment, name=name)


def observe_run(
    run: TimedRun, deployment: Deployment, *, first: int | None = None, replicas: int = 1, name: str = "requests"
) -> Observed:
    """TTFT and TPOT of the first requests (all without `first`); the last third of them is held out.

    Raises ValueError for a request that never fits into the cache.
    """
    count = len(run.trace) if first is None else min(first, len(run.trace))
    groups = np.arange(count) // TOGETHER
    kept = np.flatnonzero(np.isfinite(run.ttft_s[:count])), np.flatnonzero(np.isfinite(run.tpot_s[:count]))

    def means(ttft_s: Floats, tpot_s: Floats) -> Floats:
        parts = [
            np.bincount(groups[rows], weights=times[rows]) / np.maximum(np.bincount(groups[rows]), 1)
            for rows, times in zip(kept, (ttft_s, tpot_s), strict=True)
        ]
        return 1000.0 * np.concatenate(parts)

    def predict(steps: StepTimes) -> Floats:
        timed = replace(deployment, profile=replace(deployment.profile, steps=steps), speed_factor=1.0)
        found = simulate(deployment=timed, trace=run.trace, replicas=replicas)
        return frozen(means(found.ttft_s, found.tpot_s)[known])

    measured = means(run.ttft_s, run.tpot_s)
    known = measured > 0
    sizes = [int(groups[rows].max(initial=-1)) + 1 for rows in kept]
    late = np.concatenate([np.arange(size) for size in sizes]) >= count * (HELD_OUT - 1) // HELD_OUT // TOGETHER
    predict(deployment.profile.steps)
    return Observed(
        measured_ms=frozen(measured[known]),
        metric=np.repeat(["ttft", "tpot"], sizes)[known],
        weight=frozen(np.ones(int(known.sum()))),
        fold=np.where(late, 0, ALWAYS)[known],
        predict=predict,
        ranges=_seen(run, deployment, count),
        described=f"{count} requests of {name}",
    )


def observe_loops(points: Sequence[LoopPoint], deployment: Deployment, *, name: str = "closed loops") -> Observed:
    """Mean TTFT and TPOT of each closed loop. Raises ValueError for lengths that never fit into the cache."""
    measured = np.array([[point.ttft_ms, point.tpot_ms] for point in points]).T.reshape(-1)
    known = np.isfinite(measured) & (measured > 0)
    prompts, outputs, clients = (
        np.array([float(getattr(point, field)) for point in points])
        for field in ("prompt_tokens", "output_tokens", "clients")
    )

    def predict(steps: StepTimes) -> Floats:
        timed = replace(deployment, profile=replace(deployment.profile, steps=steps), speed_factor=1.0)
        means = np.array([_means(point, timed) for point in points])
        return frozen(means.T.reshape(-1)[known])

    return Observed(
        measured_ms=frozen(measured[known]),
        metric=np.repeat(["ttft", "tpot"], len(points))[known],
        weight=frozen(np.ones(int(known.sum()))),
        fold=np.tile(folds(np.arange(len(points)), LOOP_FOLDS), 2)[known],
        predict=predict,
        ranges=FitRanges(
            batch=bounds(np.minimum(clients, deployment.max_num_seqs)),
            context=_spanned(LEAST_SHARE * prompts, prompts + outputs),
            prompt=_spanned(LEAST_SHARE * prompts, prompts),
        ),
        described=f"{len(points)} points of {name}",
    )


def _means(point: LoopPoint, deployment: Deployment) -> tuple[float, float]:
    """Mean TTFT and TPOT in milliseconds; the same lengths at every call."""
    rng = np.random.default_rng(0)
    count = point.requests or PER_CLIENT * point.clients
    prompts, outputs = (
        benchmark_lengths(tokens=tokens, count=count, least_share=point.least_share, rng=rng)
        for tokens in (point.prompt_tokens, point.output_tokens)
    )
    found = serve_closed(
        deployment=deployment, clients=point.clients, prompt_tokens=prompts, output_tokens=np.maximum(outputs, 1)
    )
    tpot = found.tpot_s[np.isfinite(found.tpot_s)]
    return 1000.0 * float(found.ttft_s.mean()), 1000.0 * float(tpot.mean()) if len(tpot) else np.nan


def _seen(run: TimedRun, deployment: Deployment, count: int) -> FitRanges:
    prompts = run.trace.prompt_tokens[:count].astype(np.float64)
    whole = prompts + run.trace.output_tokens[:count]
    return FitRanges(
        batch=(1.0, float(_most_at_once(run, deployment, count))),
        context=_spanned(prompts, whole),
        prompt=bounds(prompts),
    )


def _most_at_once(run: TimedRun, deployment: Deployment, count: int) -> int:
    """Most requests that were between their first and last token at the same time, as measured."""
    begin = run.trace.arrival_s[:count] + run.ttft_s[:count]
    end = begin + run.tpot_s[:count] * (run.trace.output_tokens[:count] - 1)
    known = np.isfinite(end)
    moments = np.concatenate([begin[known], end[known]])
    change = np.repeat([1, -1], int(known.sum()))
    running = np.cumsum(change[np.lexsort((change, moments))])
    return int(min(max(running.max(initial=1), 1), deployment.max_num_seqs))


def _spanned(low: Floats, high: Floats) -> Range | None:
    return (float(low.min()), float(high.max())) if len(low) else None
