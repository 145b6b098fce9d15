"""What one replica can carry, per target: measured on the simulated engine in a process of its own, kept on disk.

Until a measurement is ready a careful sketch from the profile stands in; without a profile a wide prior does, which
assumes little and is unsure, so that too much is ordered rather than too little. The source says which it is.

What is NOT promised: the lengths of your requests. Their means are measured, their spread is assumed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log
from pathlib import Path
from typing import Self

import numpy as np

from foretide.operator.resource import Resource
from foretide.operator.seams import Key
from foretide.operator.worker import Worker
from foretide.policies.flow import (
    CapacityTable,
    DemandHistory,
    Objective,
    ServiceModel,
    WorkPerUnit,
)
from foretide.policies.lengths import Lengths, mean_lengths
from foretide.simulator.capacity import service_model, work_per_unit
from foretide.simulator.profile_file import BadProfile, own_profiles
from foretide.simulator.profiles import Deployment, NoProfile, find_profile
from foretide.simulator.requests import Tokens

logger = logging.getLogger(__name__)
USUAL_PROMPT, USUAL_OUTPUT = 1024, 256
"""Tokens per request while none have been seen."""
PRIOR_PREFILL, PRIOR_DECODE = 4000.0, 600.0
"""Tokens/s that we assume of a replica of which nothing is known. Chosen low."""
CAREFUL_LOAD = 0.5
"""Work/s per replica that surely keeps most promises; stands in until the load is measured."""
PRIOR_SD, SKETCH_SD = 0.4, 0.1
PROFILE_SPEED = (log(1.1), 0.08)
"""Mean and sd of the log-speed factor of a real engine against its profile, before any was watched: profiles tell
kernels, and an engine also schedules, samples and answers."""
LENGTH_SIGMAS, LENGTH_SAMPLES, LONGEST = (1.0, 0.8), 4000, 16
"""Spread of the logarithms of prompt and output lengths around their means, which is about that of public traces;
how many are drawn; and the longest, in means."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that a service model depends on; lengths in tokens per request."""

    model: str
    accelerator: str
    gpus: int
    objective: Objective
    prompt_tokens: int
    output_tokens: int
    limit: int | None = None
    """Requests that a replica takes at once; None for the engine's default."""


def sketched(question: Question) -> ServiceModel:
    """What can be said without measuring: the profile's work at a careful load, or a wide prior without a profile."""
    binding = next(iter(question.objective.declared()))
    try:
        deployment = deployment_of(question)
    except (NoProfile, BadProfile) as error:
        work = WorkPerUnit(0.0, 1 / PRIOR_PREFILL, 1 / PRIOR_DECODE)
        source, spread = f"wide prior, for want of a profile of {question.model} ({error})", PRIOR_SD
    else:
        work = work_per_unit(deployment, question.objective, *lengths_of(question))
        source, spread = f"profile of {deployment.profile.model}, careful until the measurement is done", SKETCH_SD
    return ServiceModel(
        work=work,
        capacity=CapacityTable((1,), (CAREFUL_LOAD,), (binding,)),
        source=source,
        log_speed_sd=spread,
        waiting_work_s=question.prompt_tokens * work.prompt_token + question.output_tokens * work.output_token,
    )


def measured(question: Question, cache: Path) -> ServiceModel:
    """The service model of a question, measured or from the cache. Runs in a worker process. Raises NoProfile."""
    prompts, outputs = lengths_of(question)
    found = service_model(
        deployment=deployment_of(question),
        objective=question.objective,
        prompt_tokens=prompts,
        output_tokens=outputs,
        cache=cache,
    )
    mean, sd = PROFILE_SPEED
    return replace(found, log_speed_mean=mean, log_speed_sd=sd)


def deployment_of(question: Question) -> Deployment:
    own = own_profiles()
    found = find_profile(model=question.model, gpu=question.accelerator, tp=question.gpus, own=own)
    return Deployment(found) if question.limit is None else Deployment(found, max_num_seqs=question.limit)


def lengths_of(question: Question) -> tuple[Tokens, Tokens]:
    """Samples of lengths: lognormal around the known means: shape (LENGTH_SAMPLES,) each, the same in every process."""
    rng = np.random.default_rng(0)
    drawn = []
    for mean, sigma in zip((question.prompt_tokens, question.output_tokens), LENGTH_SIGMAS, strict=True):
        tokens = rng.lognormal(np.log(mean) - sigma**2 / 2, sigma, LENGTH_SAMPLES)
        drawn.append(np.clip(tokens, 1, LONGEST * mean).astype(np.int64))
    return drawn[0], drawn[1]


class Services:
    """Answers at once with the best that is known, and lets a worker find out more. Use as a context manager."""

    def __init__(self, *, cache: Path, measure: Callable[[Question, Path], ServiceModel] = measured) -> None:
        self._cache = cache.expanduser()
        self._worker = Worker(measure)
        self._standing: dict[tuple[object, ...], ServiceModel] = {}
        self._told: set[Question] = set()
        self._lengths: dict[Key, Lengths] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.__exit__()

    def of(self, resource: Resource, history: DemandHistory) -> ServiceModel:
        """The model for a resource with the request lengths that its history has of late."""
        lengths = mean_lengths(history, self._lengths.get(resource.key))
        if lengths is not None:
            self._lengths[resource.key] = lengths
        question = question_of(resource, history, lengths)
        hardware = (question.model, question.accelerator, question.gpus, question.objective)
        answer = self._worker.answer(question, self._cache)
        if isinstance(answer, ServiceModel):
            self._standing[hardware] = answer
        elif isinstance(answer, Exception) and not isinstance(answer, NoProfile) and question not in self._told:
            self._told.add(question)
            logger.warning("capacity of %s on %s: %r", question.model, question.accelerator, answer)
        # What was measured for other lengths is nearer than a sketch.
        return self._standing.get(hardware) or sketched(question)


def question_of(resource: Resource, history: DemandHistory, before: Lengths | None = None) -> Question:
    """Lengths are powers of two, and those asked `before` while they are near, so that noise asks nothing new."""
    prompt, output = mean_lengths(history, before) or before or (USUAL_PROMPT, USUAL_OUTPUT)
    return Question(
        model=resource.model,
        accelerator=resource.pool.accelerator,
        gpus=resource.pool.gpus_per_replica,
        objective=resource.spec.objective,
        prompt_tokens=prompt,
        output_tokens=output,
        limit=resource.limit,
    )
