"""What-if without a cluster: what a demand needs by the decision's own arithmetic, and a look at the truth.

The count is the one that the shipped decision would choose for demand that is known up to a spread: the same capacity
table, the same accepted risk. It and its neighbours are then simulated at that very demand, request by request.

What is NOT promised: traffic that changes. Arrivals are Poisson at one rate; bursts, ramps and start-up times are the
business of `foretide replay`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import default_rng

from foretide.policies.accepted_risk import fewest_within, violation_probability
from foretide.policies.ahead import Ahead, even_normals, speed_draws
from foretide.policies.flow import Floats, Objective, ServiceModel, frozen
from foretide.simulator.capacity import LIGHTEST, mean_work, served, service_model
from foretide.simulator.ledger import RequestOutcome
from foretide.simulator.profiles import Deployment
from foretide.simulator.requests import RequestTrace, Tokens
from foretide.simulator.score import attainment, percentiles, window_attainment

DRAWS = 512
WINDOWS = 24
"""Windows of the objective that a simulation is long, unless that is more than MOST_REQUESTS."""
FEWEST_WINDOWS = 4
MOST_REQUESTS = 200_000
WARM_UP_S = 60.0
ALONE = 500
"""Requests of the simulation that finds out what the hardware can do at best."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Demand in requests/s with lengths drawn from samples (n,), the promise, and how many replicas are allowed."""

    deployment: Deployment
    objective: Objective
    rate: float
    prompt_tokens: Tokens
    output_tokens: Tokens
    spread: float = 0.0
    """Sigma of the log of demand; 0 where it is known."""
    most: int = 64
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Tried:
    """One count: what the model says of it, and what a simulation at `rate` showed."""

    replicas: int
    violation_probability: float
    joint: float
    """Share of the simulated requests within every declared threshold."""
    windows_broken: float
    """Share of the simulated windows in which a declared percentile broke."""
    ttft_s: dict[str, float | None]
    tpot_s: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Sized:
    """The answer. `replicas` is `most` + 1 where no allowed count is enough."""

    replicas: int
    binding: str
    work: float
    """Of the median demand, in work/s; one replica carries about one."""
    tried: tuple[Tried, ...]
    service: ServiceModel


@dataclass(frozen=True, slots=True)
class Floor:
    """What a request that is all but alone gets: no count does better. Seconds at the declared percentiles."""

    reached: dict[str, float]


def size(
    asked: Asked, *, cache: Path | None = None, progress: Callable[[float], None] | None = None
) -> "Sized | Floor":
    """The fewest replicas for a demand, or the hardware's floor where none keep the promise at any load."""
    service = measured(asked, cache=cache, progress=progress)
    if service.capacity.total(asked.most) <= 0:
        return _floor(asked)
    ahead, wanted = chosen(asked, service)
    around = [count for count in (wanted - 1, wanted, wanted + 1) if 1 <= count <= asked.most]
    return Sized(
        replicas=wanted,
        binding=service.capacity.binding_at(max(1, wanted - 1)),
        work=asked.rate * work_each(asked, service),
        tried=tuple(_tried(asked, ahead, service, count) for count in around),
        service=service,
    )


def measured(
    asked: Asked, *, cache: Path | None = None, progress: Callable[[float], None] | None = None
) -> ServiceModel:
    """What a replica carries for these lengths and this promise, whatever the rate."""
    return service_model(
        deployment=asked.deployment,
        objective=asked.objective,
        prompt_tokens=asked.prompt_tokens,
        output_tokens=asked.output_tokens,
        seed=asked.seed,
        cache=cache,
        progress=progress,
    )


def chosen(asked: Asked, service: ServiceModel) -> tuple[Ahead, int]:
    """Demand as the decision sees it, and the count that it chooses; `most` + 1 where none is enough."""
    ahead = _ahead(asked, service)
    return ahead, fewest_within(ahead, service.capacity, asked.objective.max_violation_probability, most=asked.most)


def work_each(asked: Asked, service: ServiceModel) -> float:
    """Work of one request with the mean lengths that are asked for."""
    return mean_work(service.work, asked.prompt_tokens, asked.output_tokens)


def _ahead(asked: Asked, service: ServiceModel) -> Ahead:
    """Demand as paths of one window each, at equally likely quantiles of its spread, each at its own replica speed."""
    rates = asked.rate * np.exp(asked.spread * even_normals(DRAWS))[:, None]
    slowed = rates * work_each(asked, service) * speed_draws(service, DRAWS)[:, None]
    return Ahead(frozen(slowed), frozen(rates), window=1, step=asked.objective.window_s)


def _tried(asked: Asked, ahead: Ahead, service: ServiceModel, replicas: int) -> Tried:
    outcome = simulated(asked, replicas)
    joint = attainment(outcome=outcome, objective=asked.objective)["joint"]
    held = window_attainment(outcome=outcome, objective=asked.objective)
    return Tried(
        replicas=replicas,
        violation_probability=violation_probability(ahead, service.capacity, replicas),
        joint=joint or 0.0,
        windows_broken=1.0 - (held or 0.0),
        ttft_s=percentiles(outcome.ttft_s),
        tpot_s=percentiles(outcome.tpot_s),
    )


def simulated(asked: Asked, replicas: int) -> RequestOutcome:
    """Poisson requests at the asked rate on so many replicas; those of the first minute are not in the outcome."""
    window = asked.objective.window_s
    windows = min(WINDOWS, max(FEWEST_WINDOWS, int(MOST_REQUESTS / (asked.rate * window))))
    rng = default_rng((asked.seed, 1))
    count = max(1, rng.poisson(asked.rate * (WARM_UP_S + windows * window)))
    arrivals = np.sort(rng.random(count)) * (WARM_UP_S + windows * window)
    trace = _drawn(asked, frozen(arrivals), rng)
    return _since(served(asked.deployment, trace, replicas, seed=asked.seed), WARM_UP_S)


def _since(outcome: RequestOutcome, begins_s: float) -> RequestOutcome:
    """The requests that arrived later, their clock beginning there."""
    kept = outcome.arrival_s >= begins_s
    times = {name: getattr(outcome, name)[kept] for name in ("ttft_s", "tpot_s", "e2e_s", "cold_started")}
    return replace(outcome, arrival_s=outcome.arrival_s[kept] - begins_s, **times)


def _floor(asked: Asked) -> Floor:
    rng = default_rng((asked.seed, 2))
    gaps: Floats = rng.exponential(1.0 / LIGHTEST, ALONE)
    outcome = served(asked.deployment, _drawn(asked, frozen(np.cumsum(gaps)), rng), 1, seed=asked.seed)
    return Floor(
        {
            name: float(np.nanpercentile(getattr(outcome, f"{name}_s"), target.percentile))
            for name, target in asked.objective.declared().items()
        }
    )


def _drawn(asked: Asked, arrivals: Floats, rng: np.random.Generator) -> RequestTrace:
    picks = rng.integers(0, len(asked.prompt_tokens), len(arrivals))
    return RequestTrace(arrivals, asked.prompt_tokens[picks], asked.output_tokens[picks])
