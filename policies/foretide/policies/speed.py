"""How many times slower than its profile a deployment really is, learned from what its engines show.

An engine tells how long a token took (the sum and count of its inter-token latency) and how many requests shared the
batch. The step times of the profile say what that batch should have taken, prompts computed between decodes included;
the ratio is the speed factor. Its logarithm gets a conjugate posterior with forgetting; observations that all disagree
with it in the same direction are a change, and shorten the memory to themselves.

What is NOT promised: separate factors for prefill and decode. Engines do not tell how long a prompt waited and how long
it was computed, so one factor stands for both; and what slows single requests only is averaged out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import log, sqrt

import numpy as np

from foretide.policies.demand import EngineSamples
from foretide.policies.service import ServiceModel, StepCost

WARM_UP_S = 120.0
"""A replica younger than this still compiles, captures and fills its caches: what it shows is not learned."""
LEAST_TOKENS = 200.0
"""Fewer tokens than this say nothing about a step."""
SLOWEST, FASTEST = 5.0, 0.2
"""Factors beyond this are not a speed but a wrong profile or a wrong metric."""
MEMORY = 30.0
"""Observations that count, each older one less: with a plan a minute about half an hour."""
PRIOR_WEIGHT = 2.0
"""The prior weighs as much as this many observations."""
USUAL_SPREAD = 0.05
"""Spread of one observation around the truth, prior to any: the error of a profile between batch sizes."""
LEAST_SPREAD = 0.02
"""What no number of observations removes: the profile's error at other batch sizes than those seen."""
SURPRISING = 3.0
"""In spreads of one observation: so far off, it is a change or a mistake."""
SLOWER_AFTER, FASTER_AFTER = 2, 5
"""Surprising observations in a row, in one direction, that make a change. Slowness is believed sooner."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What one replica showed over a stretch of time."""

    gap_s: float
    """Mean time between two tokens of a request."""
    tokens: float
    """Gaps behind that mean."""
    batch: float
    """Requests that ran at once, as a token sees it."""
    requests: float
    """Prompts per second."""
    prompt_tokens: float
    """Mean, per request."""
    output_tokens: float
    """Mean, per request."""
    age_s: float
    """Since the replica was first seen."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Posterior of the log-speed factor: about normal with this mean and sd. `recent` are surprising observations."""

    mean: float = 0.0
    sd: float = USUAL_SPREAD
    spread: float = USUAL_SPREAD
    """Of single observations around the mean."""
    weight: float = 0.0
    """Observations that count, older ones less."""
    observed: int = 0
    recent: tuple[float, ...] = ()
    changes: int = 0
    """How often all of memory was given up for newer observations."""


def learned_speed(before: Speed, *, prior: tuple[float, float], seen: float | None) -> Speed:
    """The posterior after one more observation of the log factor; the same where there is none.

    `prior` is the mean and sd of the log factor before any.
    """
    if before.observed == 0:
        before = replace(before, mean=prior[0], sd=prior[1])
    if seen is None or not log(FASTEST) <= seen <= log(SLOWEST):
        return before
    apart = seen - before.mean
    if abs(apart) > SURPRISING * sqrt(before.spread**2 + before.sd**2):
        return _surprised(before, seen, prior)
    return _pooled(replace(before, recent=()), (seen,), prior)


def _surprised(before: Speed, seen: float, prior: tuple[float, float]) -> Speed:
    """A change where surprises in one direction come in a row; until then they wait, and nothing is learned."""
    slower = seen > before.mean
    same = tuple(one for one in before.recent if (one > before.mean) == slower)
    recent = (*same, seen)
    if len(recent) < (SLOWER_AFTER if slower else FASTER_AFTER):
        return replace(before, recent=recent, observed=before.observed + 1)
    fresh = Speed(mean=float(np.mean(recent)), sd=prior[1], observed=before.observed, changes=before.changes + 1)
    return _pooled(fresh, recent, (fresh.mean, prior[1]))


def _pooled(before: Speed, seen: tuple[float, ...], prior: tuple[float, float]) -> Speed:
    """Normal mean with an unknown spread: means and sums of squares pooled by weight, the older ones faded."""
    mean, weight, spread = before.mean, before.weight, before.spread
    if not weight:
        mean, weight = prior[0], PRIOR_WEIGHT * min(1.0, (USUAL_SPREAD / max(prior[1], 1e-9)) ** 2)
    for one in seen:
        faded = weight * (1.0 - 1.0 / MEMORY)
        weight = faded + 1.0
        step = (one - mean) / weight
        squares = faded * spread**2 + (one - mean) * (one - mean - step)
        mean, spread = mean + step, sqrt(squares / weight)
    spread = max(spread, LEAST_SPREAD)
    sd = sqrt(LEAST_SPREAD**2 + spread**2 / weight)
    return replace(before, mean=mean, sd=sd, spread=spread, weight=weight, observed=before.observed + 1)


def at_speed(service: ServiceModel, speed: Speed) -> ServiceModel:
    """The service model with what was learned of its speed; unchanged where nothing was."""
    if not speed.weight:
        return service
    return replace(service, log_speed_mean=speed.mean, log_speed_sd=speed.sd, observed=speed.observed)


def log_factor(paces: Iterable[Pace], steps: StepCost) -> float | None:
    """One observation: the tokens' mean log factor over replicas that are warm and busy; None where there is none."""
    told = [(pace.tokens, one) for pace in paces if (one := _one(pace, steps)) is not None]
    total = sum(tokens for tokens, _ in told)
    return sum(tokens * one for tokens, one in told) / total if told else None


def _one(pace: Pace, steps: StepCost) -> float | None:
    """Log factor of one replica: its time per token against what the profile's steps would have taken.

    In a second, m mixed steps of T and x steps of decodes alone of d fill the time, s (m T + x d) = 1, and a request
    gets a token in each of them, gap = 1 / (m + x). So s = 1 / (m T + (1 / gap - m) d).
    """
    if pace.age_s < WARM_UP_S or pace.tokens < LEAST_TOKENS or not 0 < pace.gap_s < np.inf:
        return None
    context = pace.prompt_tokens + pace.output_tokens / 2
    decode = steps.decode_s(pace.batch, context)
    chunks = max(1.0, np.ceil(pace.prompt_tokens / steps.chunk))
    # As many mixed steps as there can be: prompts share a step where there are more.
    mixed = min(pace.requests * chunks, 1.0 / pace.gap_s)
    together = pace.requests * chunks / mixed if mixed > 0 else 1.0
    each = steps.mixed_s(together * pace.prompt_tokens / chunks, pace.batch, context)
    busy = mixed * each + (1.0 / pace.gap_s - mixed) * decode
    return -log(busy) if busy > 0 else None


def pace_of(samples: EngineSamples, *, since: float) -> Pace | None:
    """What an engine showed from `since` on; None where it does not tell token gaps, or has no two samples."""
    if samples.gap_s is None or samples.gaps is None:
        return None
    inside = np.flatnonzero(samples.at >= since)
    if len(inside) < 2:
        return None
    first, last = int(inside[0]), int(inside[-1])
    if (np.diff(samples.gaps[first : last + 1]) < 0).any():
        return None  # restarted
    tokens = float(samples.gaps[last] - samples.gaps[first])
    seconds = float(samples.gap_s[last] - samples.gap_s[first])
    done = float(samples.finished[last] - samples.finished[first])
    running = samples.running[first : last + 1]
    if tokens <= 0 or seconds <= 0 or done <= 0 or running.sum() <= 0:
        return None
    return Pace(
        gap_s=seconds / tokens,
        tokens=tokens,
        # A token is as likely to see a batch as the batch is large.
        batch=max(1.0, float((running**2).sum() / running.sum())),
        requests=done / float(samples.at[last] - samples.at[first]),
        prompt_tokens=float(samples.prompt_tokens[last] - samples.prompt_tokens[first]) / done,
        output_tokens=float(samples.output_tokens[last] - samples.output_tokens[first]) / done,
        age_s=float(samples.at[last] - samples.at[0]),
    )


def paces_of(pods: Mapping[str, EngineSamples], *, since: float) -> tuple[Pace, ...]:
    """Of all engines that tell."""
    found = (pace_of(samples, since=since) for samples in pods.values())
    return tuple(pace for pace in found if pace is not None)
