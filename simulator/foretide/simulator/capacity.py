"""What a pool of n replicas carries while every declared percentile holds, measured on the simulated engine.

For each pool size the largest Poisson load is found by bisection over full runs of the same Fleet that replays use,
with the same random numbers at every load. Larger pools share bursts and carry more per replica. Loads are counted in
work/s (`WorkPerUnit`), so that the table holds, nearly, for other mixes of the same lengths.

What is NOT promised: exactness under bursts. Arrivals are Poisson at a fixed rate; what changes from minute to minute
is the forecast's part.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from math import inf, log
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression

from foretide.policies.flow import CapacityTable, Objective, ServiceModel, WorkPerUnit, frozen
from foretide.simulator.fleet import Fleet, RequestOutcome, StartTier
from foretide.simulator.profiles import Deployment
from foretide.simulator.requests import RequestTrace, Tokens
from foretide.simulator.score import within
from foretide.simulator.steptime import step_cost
from foretide.simulator.weights import measured_weights

POOLS = (1, 2, 4, 8, 16, 32)
REQUESTS_ALONE = 4000
"""Requests of a run of one replica; larger pools get more, by the square root of their size."""
WARM_UP = 0.1
PRECISION = 1.01
"""The bisection ends when a load that holds and one that breaks are this close."""
LIGHTEST, HEAVIEST = 0.02, 3.0
"""Bounds of the load per replica, in work/s, between which the first bisection looks."""
USUAL_BATCH = 64
MIXED_POOL = 2
"""Size of the pool on which mixes of lengths are weighed against each other."""
STEEP_POOL, OVERLOAD = 4, 0.1
"""Largest pool size, and relative overload, at which the growth of misses is measured."""
GENTLEST, STEEPEST = 5.0, 60.0
SPEEDS = (0.75, 1.3, 1.7)
"""Speed factors, beside that of the deployment, at which a load is weighed."""
HOPELESS = 1.5
"""Log of how much worse than its factor a speed may be: where no load at all keeps the promise, more replicas help no
more, and a tail of the posterior must not order all that there are."""
SPEED_SD = 0.02
"""The table comes from the very deployment that it speaks of; what is left is the noise of the measurement."""
VERSION = 6

Told = Callable[[float], None]
"""Told the share of the measurement that is done."""


def service_model(
    *,
    deployment: Deployment,
    objective: Objective,
    prompt_tokens: ArrayLike,
    output_tokens: ArrayLike,
    seed: int = 0,
    cache: Path | None = None,
    progress: Told | None = None,
    log_speed_sd: float = SPEED_SD,
) -> ServiceModel:
    """The service model of a deployment for requests of these lengths (samples of tokens, shape (n,) each).

    The table is measured in derived work and expressed in measured weights, in which 1 is about one replica.
    """
    prompts, outputs = np.asarray(prompt_tokens, dtype=np.int64), np.asarray(output_tokens, dtype=np.int64)
    derived = work_per_unit(deployment, objective, prompts, outputs)
    capacity = measure_capacity(
        deployment=deployment,
        objective=objective,
        prompt_tokens=prompts,
        output_tokens=outputs,
        seed=seed,
        cache=cache,
        progress=progress,
    )
    loads = measure_loads(deployment, objective, prompts, outputs, seed=seed, cache=cache)
    work = measure_weights(deployment, objective, prompts, outputs, seed=seed, cache=cache) or derived
    ratio = mean_work(work, prompts, outputs) / mean_work(derived, prompts, outputs)
    profile = deployment.profile
    return ServiceModel(
        work=work,
        capacity=replace(capacity, per_replica=tuple(each * ratio for each in capacity.per_replica)),
        source=f"simulated {profile.model} on {profile.gpu} x {profile.tp}, step times {profile.provenance}",
        log_speed_sd=log_speed_sd,
        waiting_work_s=mean_work(work, prompts, outputs),
        steps=step_cost(deployment),
        loads=loads,
    )


def measure_loads(
    deployment: Deployment,
    objective: Objective,
    prompts: Tokens,
    outputs: Tokens,
    *,
    seed: int = 0,
    cache: Path | None = None,
) -> tuple[tuple[float, float], ...]:
    """How a load weighs on a replica that is faster or slower than the deployment: `ServiceModel.loads`.

    From the largest rates that keep the promise at a few speed factors, on one size of pool.
    """
    kept = cache / f"loads-{_digest(deployment, objective, prompts, outputs, seed)}.json" if cache else None
    if (known := _load(kept)) is not None:
        return tuple((float(at), float(weight)) for at, weight in known["loads"])

    def largest_rate(factor: float) -> float:
        slower = replace(deployment, speed_factor=deployment.speed_factor * factor)
        mix = Measurement(slower, objective, prompts, outputs, seed)
        load, _ = mix.largest_load(STEEP_POOL, None)
        return load / mix.mean_work

    usual = largest_rate(1.0)
    if usual <= 0:
        return ((0.0, 0.0),)
    weights = [log(usual / rate) if (rate := largest_rate(factor)) > 0 else inf for factor in SPEEDS]
    told = dict(zip(map(log, SPEEDS), weights, strict=True)) | {0.0: 0.0}
    loads = tuple((at, told[at]) for at in sorted(told))
    rising = np.maximum.accumulate([min(weight, at + HOPELESS) for at, weight in loads])
    found = tuple((at, float(weight)) for (at, _), weight in zip(loads, rising, strict=True))
    if kept is not None:
        _keep(kept, {"loads": found})
    return found


def measure_weights(
    deployment: Deployment,
    objective: Objective,
    prompts: Tokens,
    outputs: Tokens,
    *,
    seed: int = 0,
    cache: Path | None = None,
) -> WorkPerUnit | None:
    """Weights of tokens from the loads at which mixes of lengths just keep the promise; None where none can."""
    kept = cache / f"weights-{_digest(deployment, objective, prompts, outputs, seed)}.json" if cache else None
    known = _load(kept)
    if known is not None:
        return WorkPerUnit(**known) if known else None

    def largest_rate(longer: Tokens, wordier: Tokens) -> float:
        mix = Measurement(deployment, objective, longer, wordier, seed)
        load, _ = mix.largest_load(MIXED_POOL, None)
        return load / mix.mean_work

    weights = measured_weights(largest_rate, prompts, outputs)
    if kept is not None:
        _keep(kept, asdict(weights) if weights else {})
    return weights


def work_per_unit(deployment: Deployment, objective: Objective, prompts: Tokens, outputs: Tokens) -> WorkPerUnit:
    """Replica-seconds per prompt token and per output token, at the batch size where the TPOT target is just met.

    A prompt token costs b' of a prefill step; an output token its share of a decode step of n sequences,
    a / n + b + c x context (papers.md 3.1).
    """
    steps, speed = deployment.profile.steps, deployment.speed_factor / 1000.0
    context = float(prompts.mean() + outputs.mean() / 2)
    each = steps.decode_b_ms + steps.decode_c_ms * context
    batch = float(USUAL_BATCH)
    if objective.tpot is not None:
        batch = (objective.tpot.threshold_s / speed - steps.decode_a_ms) / each
    batch = min(max(batch, 1.0), float(deployment.max_num_seqs))
    shared = steps.decode_a_ms + steps.experts_ms(round(batch))
    return WorkPerUnit(0.0, steps.prefill_b_ms * speed, (shared / batch + each) * speed)


def measure_capacity(
    *,
    deployment: Deployment,
    objective: Objective,
    prompt_tokens: Tokens,
    output_tokens: Tokens,
    seed: int = 0,
    cache: Path | None = None,
    progress: Told | None = None,
) -> CapacityTable:
    """Work/s per replica by pool size; kept in the folder `cache`, if one is given, under a digest of all inputs."""
    kept = None
    if cache is not None:
        kept = cache / f"capacity-{_digest(deployment, objective, prompt_tokens, output_tokens, seed)}.json"
    if kept is not None and (table := _read(kept)) is not None:
        return table
    table = table_of(Measurement(deployment, objective, prompt_tokens, output_tokens, seed), progress)
    if kept is not None:
        _keep(kept, asdict(table))
    return table


def table_of(measured: "Measurement", progress: Told | None = None) -> CapacityTable:
    """The largest loads of every pool size, and how fast misses grow beyond."""
    each: list[float] = []
    binding: list[str] = []
    for done, size in enumerate(POOLS):
        load, name = measured.largest_load(size, each[-1] if each else None)
        each.append(load)
        binding.append(name)
        if progress:
            progress((done + 1) / len(POOLS))
    # Sizes out of order differ by chance alone: they share their mean, for the larger of two lucky draws would promise
    # too much.
    rising = isotonic_regression(each).x
    return CapacityTable(
        POOLS,
        tuple(float(load) for load in rising),
        tuple(binding),
        measured.steepness(each),
    )


class Measurement:
    """Loads on fresh pools of one deployment. `_serve` is what a role of disaggregated serving does otherwise."""

    def __init__(
        self, deployment: Deployment, objective: Objective, prompts: Tokens, outputs: Tokens, seed: int
    ) -> None:
        self._deployment, self._objective, self._seed = deployment, objective, seed
        self._prompts, self._outputs = prompts, outputs
        self.mean_work = mean_work(work_per_unit(deployment, objective, prompts, outputs), prompts, outputs)

    def largest_load(self, size: int, smaller: float | None) -> tuple[float, str]:
        """Work/s per replica, and the objective that broke first just above it; 0 where none is light enough."""
        low, high = (LIGHTEST, HEAVIEST) if not smaller else (0.9 * smaller, 2.2 * smaller)
        binding = self._broken(size, high) or next(iter(self._objective.declared()))
        at_once = self._broken(size, low)
        if at_once and smaller:
            low, high = LIGHTEST, low
            at_once = self._broken(size, low)
        if at_once:
            return 0.0, at_once
        while high > PRECISION * low:
            middle = float(np.sqrt(low * high))
            broken = self._broken(size, middle)
            if broken:
                high, binding = middle, broken
            else:
                low = middle
        return low, binding

    def steepness(self, each: list[float]) -> float:
        """Growth of the log of misses per unit of relative overload (`CapacityTable.steepness`); 0 when infeasible."""
        size, load = self._judged_at(each)
        if load <= 0:
            return 0.0
        at_limit, beyond = (max(self._misses(size, load * factor).values()) for factor in (1.0, 1.0 + OVERLOAD))
        growth = float(np.log(max(beyond, 1e-3) / max(at_limit, 1e-3))) / OVERLOAD
        return min(max(growth, GENTLEST), STEEPEST)

    def _judged_at(self, each: list[float]) -> tuple[int, float]:
        """The pool size, and its load, on which the neighbourhood of the limit is measured."""
        return max((size, load) for size, load in zip(POOLS, each, strict=True) if size <= STEEP_POOL)

    def _broken(self, size: int, load: float) -> str:
        """The objective that a load breaks by the widest margin; empty when all hold."""
        misses = self._misses(size, load)
        worst = max(misses, key=lambda name: misses[name])
        return worst if misses[worst] > 1.0 else ""

    def _misses(self, size: int, load: float) -> dict[str, float]:
        """Missed requests over allowed ones, by objective, at a Poisson load of `load` work/s per replica."""
        outcome = self._outcome(size, load)
        counted = slice(int(WARM_UP * len(outcome.e2e_s)), None)
        return {
            name: (1.0 - float(within(outcome=outcome, name=name, target=target)[counted].mean()))
            / (1.0 - target.percentile / 100)
            for name, target in self._objective.declared().items()
        }

    def _outcome(self, size: int, load: float) -> RequestOutcome:
        count = self._requests(size)
        rng = np.random.default_rng((self._seed, size))
        gaps = rng.exponential(1.0, count)
        picks = rng.integers(0, len(self._prompts), count)
        rate = load * size / self.mean_work
        trace = RequestTrace(frozen(np.cumsum(gaps) / rate), self._prompts[picks], self._outputs[picks])
        return self._serve(trace, size)

    def _requests(self, size: int) -> int:
        return int(REQUESTS_ALONE * np.sqrt(size))

    def _serve(self, trace: RequestTrace, size: int) -> RequestOutcome:
        return served(self._deployment, trace, size, seed=self._seed)


def served(deployment: Deployment, trace: RequestTrace, replicas: int, *, seed: int) -> RequestOutcome:
    """What becomes of a trace on a pool that nobody scales."""
    fleet = Fleet(deployment=deployment, trace=trace, replicas=replicas, cold_start=StartTier(1.0, 0.0), seed=seed)
    fleet.advance(float("inf"))
    return fleet.outcome()


def mean_work(work: WorkPerUnit, prompts: Tokens, outputs: Tokens) -> float:
    """Work of one request with mean lengths."""
    return float(work.of(np.array([1.0, prompts.mean(), outputs.mean()])))


def _digest(deployment: Deployment, objective: Objective, prompts: Tokens, outputs: Tokens, seed: int) -> str:
    """Of all that a measurement depends on, this code's version included."""
    # Accepted risk, window and prices do not enter a measurement.
    promised = asdict(replace(objective, max_violation_probability=0.0, window_s=0.0))
    promised.pop("costs")
    asked = [VERSION, seed, asdict(deployment), promised]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode())
    for lengths in (prompts, outputs):
        digest.update(np.ascontiguousarray(lengths, dtype="<i8").tobytes())
    return digest.hexdigest()[:24]


def _read(path: Path) -> CapacityTable | None:
    kept = _load(path) or {}
    try:
        return CapacityTable(
            tuple(kept["replicas"]),
            tuple(kept["per_replica"]),
            tuple(kept["binding"]),
            kept["steepness"],
        )
    except (KeyError, TypeError):
        return None


def _load(path: Path | None) -> dict[str, Any] | None:
    """What was kept; None where there is nothing or it cannot be read, which only costs the time to measure again."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8")) if path else None
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None


def _keep(path: Path, value: dict[str, Any]) -> None:
    """Whole or not at all; a folder that cannot be written only costs the time to measure again."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump(value, file)
        Path(file.name).replace(path)
