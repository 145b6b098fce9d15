"""The Workload Variant Autoscaler of llm-d: one replica as a queue with state-dependent service, sized to means.

After pkg/analyzer (queueanalyzer.go, mm1modelstatedependent.go) of llm-d-incubation/workload-variant-autoscaler at
56a651b; upstream has moved on since and calls this path deprecated. Prefill takes gamma + delta x prompt tokens x n and
a decode step alpha + beta x n with n requests in service, so that n of them are served at
n / (gamma + delta ISL n + (OSL - 1)(alpha + beta n)); at most B are, and 10 B may wait. The largest arrival rate is
sought at which mean TTFT and mean ITL are within the targets; replicas = ceil(rate / that). Every 60 s, from completed
requests of the last minute; the result is a metric that an HPA takes with AverageValue 1 every 15 s.

What is NOT promised: the coefficients of an owner's benchmark. Here they are least-squares lines, in relative error,
through the step times of a profile (see `fitted`). WVA reads percentiles nowhere: thresholds are taken as means.
"""

from dataclasses import dataclass, replace
from math import ceil, inf

import numpy as np

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import Behavior, Floats, Objective
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.hpa import HpaTail
from foretide.simulator.hpa_metrics import SYNC_S, average_value
from foretide.simulator.profiles import Deployment
from foretide.simulator.traffic import Traffic, completed

LOOP_S, WINDOW_S = 60.0, 60.0
QUEUE_TO_BATCH = 10
EDGE = 1e-3
"""Rates are sought between this share of the slowest service and this much below the fastest."""
HALVINGS = 60
PROMPTS: Floats = np.exp2(np.arange(7.0, 13.0))
BATCHES, CONTEXTS = np.exp2(np.arange(9.0)), np.exp2(np.arange(7.0, 14.0))


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Milliseconds: a decode step of n takes alpha + beta n, a prefill of n prompts gamma + delta x tokens x n."""

    alpha: float
    beta: float
    gamma: float
    delta: float


@dataclass(frozen=True, slots=True)
class Targets:
    """Mean TTFT and ITL in milliseconds; infinite where nothing was promised."""

    ttft_ms: float = inf
    itl_ms: float = inf


@dataclass(frozen=True, slots=True)
class Queue:
    """One replica with requests of one length."""

    coefficients: Coefficients
    prompt_tokens: float
    output_tokens: float
    batch: int

    def largest_rate(self, targets: Targets) -> float:
        """Requests/s at which both means are just within the targets; 0 where they are not even when idle."""
        rates = self._service_rates()
        low, high = EDGE * float(rates[0]), (1 - EDGE) * float(rates[-1])
        if not self._holds(low, targets):
            return 0.0
        if self._holds(high, targets):
            return 1000.0 * high
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._holds(middle, targets) else (low, middle)
        return 1000.0 * low

    def means(self, rate: float) -> tuple[float, float]:
        """Mean TTFT and ITL in milliseconds at `rate` requests per millisecond."""
        fit, decodes = self.coefficients, self.output_tokens - 1
        wait, service = self._solve(rate)
        each = fit.delta * self.prompt_tokens + fit.beta * decodes
        concurrent = min(max((service - fit.gamma - fit.alpha * decodes) / each, 0.0), float(self.batch))
        prefill = fit.gamma + fit.delta * self.prompt_tokens * concurrent
        return wait + prefill, fit.alpha + fit.beta * concurrent

    def _holds(self, rate: float, targets: Targets) -> bool:
        ttft, itl = self.means(rate)
        return ttft <= targets.ttft_ms and itl <= targets.itl_ms

    def _service_rates(self) -> Floats:
        """Requests per millisecond by number in service, (B,)."""
        n, fit = np.arange(1, self.batch + 1), self.coefficients
        decode = (self.output_tokens - 1) * (fit.alpha + fit.beta * n)
        return np.asarray(n / (fit.gamma + fit.delta * self.prompt_tokens * n + decode), dtype=np.float64)

    def _solve(self, rate: float) -> tuple[float, float]:
        """Mean wait and mean time in service, in milliseconds, of the birth-death chain."""
        rates = self._service_rates()
        queue = np.full(QUEUE_TO_BATCH * self.batch, rates[-1])
        logs = np.concatenate([[0.0], np.cumsum(np.log(rate / np.concatenate([rates, queue])))])
        shares = np.exp(logs - logs.max())
        shares /= shares.sum()
        present = np.arange(len(shares))
        throughput = rate * (1.0 - shares[-1])
        in_service = float((np.minimum(present, self.batch) * shares).sum())
        return max(0.0, float((present * shares).sum()) - in_service) / throughput, in_service / throughput


def fitted(deployment: Deployment) -> Coefficients:
    """Lines through a profile's step times, least squares of the relative error, over powers of two.

    Prefill over prompts of 128 to 4096 tokens; decode over 1 to 256 sequences of 128 to 8192 tokens, as far as the KV
    cache holds them. The context has no place in the model, so that its effect is averaged into beta.
    """
    profile, speed = deployment.profile, deployment.speed_factor
    steps, room = profile.steps, deployment.kv_tokens or profile.kv_tokens
    n, context = (axis.ravel() for axis in np.meshgrid(BATCHES, CONTEXTS))
    fits = n * context <= room
    n, context = n[fits], context[fits]
    experts = np.array([steps.experts_ms(int(count)) for count in n])
    decode = steps.decode_a_ms + steps.decode_b_ms * n + steps.decode_c_ms * n * context + experts
    prefill = steps.prefill_a_ms + steps.prefill_b_ms * PROMPTS + steps.prefill_c_ms * PROMPTS**2
    alpha, beta = _line(n, decode * speed)
    gamma, delta = _line(PROMPTS, prefill * speed)
    return Coefficients(alpha, beta, gamma, delta)


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    base, slope = np.linalg.lstsq(np.stack([1.0 / y, x / y], axis=1), np.ones_like(y), rcond=None)[0]
    return float(base), float(slope)


def targets_of(objective: Objective, *, scale: float = 1.0) -> Targets:
    """The thresholds of a promise, as means, times `scale`."""
    found = {}
    if objective.ttft is not None:
        found["ttft_ms"] = 1000.0 * scale * objective.ttft.threshold_s
    if objective.tpot is not None:
        found["itl_ms"] = 1000.0 * scale * objective.tpot.threshold_s
    return replace(Targets(), **found)


class Wva:
    """The policy `wva`. `slo_scale` multiplies both targets."""

    name = "wva"
    interval_s = SYNC_S
    begins_with = None

    def __init__(
        self,
        *,
        deployment: Deployment,
        objective: Objective,
        min_replicas: int,
        max_replicas: int,
        slo_scale: float = 1.0,
        behavior: Behavior | None = HPA_DEFAULT,
    ) -> None:
        self._coefficients, self._batch = fitted(deployment), deployment.max_num_seqs
        self._targets = targets_of(objective, scale=slo_scale)
        self._min = min_replicas
        self._tail = HpaTail(min_replicas=min_replicas, max_replicas=max_replicas, behavior=behavior)
        self._next_loop = -inf
        self._emitted: int | None = None
        self._why = ""

    def decide(self, view: View) -> Choice:
        if view.now >= self._next_loop - 1e-6:
            self._next_loop = view.now + LOOP_S
            self._size(completed(view.samples(), now=view.now, window_s=WINDOW_S))
        if self._emitted is None:
            return self._tail.blind(view, "no completed requests were scraped")
        wanted = average_value(total=float(self._emitted), target=1.0, current=view.desired)
        return self._tail.settle(view, wanted=wanted, why=self._why)

    def _size(self, traffic: Traffic | None) -> None:
        """Sets the metric that is emitted; leaves it as it was where nothing is known or no rate is feasible."""
        if traffic is None:
            return
        if traffic.requests <= 0:
            self._emitted, self._why = self._min, "no request was completed"
            return
        queue = Queue(self._coefficients, traffic.prompt_tokens, max(1.0, traffic.output_tokens), self._batch)
        each = queue.largest_rate(self._targets)
        self._why = f"{traffic.requests:.2f} requests/s completed, {each:.2f} per replica"
        if each > 0:
            self._emitted = max(self._min, ceil(traffic.requests / each))
