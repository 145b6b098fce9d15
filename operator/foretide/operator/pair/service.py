"""What a replica of each role can carry: measured on the simulated two-pool fleet, kept on disk, sketched until then.

What is NOT promised: your link. Caches are taken to travel at LINK_GBPS, one at a time per decode replica; and speed is
not learned from live engines, so that both roles keep the profile's, and its spread.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self

from foretide.operator.pair.views import views
from foretide.operator.resource import Resource
from foretide.operator.seams import Key
from foretide.operator.service import (
    PROFILE_SPEED,
    Question,
    deployment_of,
    lengths_of,
    question_of,
    sketched,
)
from foretide.operator.worker import Worker
from foretide.policies.flow import CapacityTable, DemandHistory, ServiceModel, WorkPerUnit
from foretide.policies.lengths import Lengths, mean_lengths
from foretide.simulator.capacity import VERSION
from foretide.simulator.profiles import NoProfile
from foretide.simulator.role_capacity import Roles, role_services
from foretide.simulator.transfer import Link, NoShape, kv_bytes

logger = logging.getLogger(__name__)
LINK_GBPS = 200.0
"""Gigabits per second of a link between two replicas, as `foretide simulate --layout disaggregated` has it."""


@dataclass(frozen=True, slots=True)
class RoleQuestion:
    """All that two service models depend on; both are of the same lengths and objective."""

    prefill: Question
    decode: Question


def measured_roles(question: RoleQuestion, cache: Path) -> Roles:
    """Both roles' models, measured or from the cache. Runs in a worker process. Raises NoProfile or NoShape."""
    prefill, decode = deployment_of(question.prefill), deployment_of(question.decode)
    link = Link(LINK_GBPS / 8, kv_bytes(prefill.profile.model))
    asked = [VERSION, asdict(prefill), asdict(decode), asdict(link), asdict(question)]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:24]
    kept = cache / f"roles-{digest}.json"
    found = _read(kept)
    if found is None:
        prompts, outputs = lengths_of(question.prefill)
        found = role_services(
            prefill=prefill,
            decode=decode,
            link=link,
            objective=question.prefill.objective,
            prompt_tokens=prompts,
            output_tokens=outputs,
        )
        _keep(kept, found)
    mean, sd = PROFILE_SPEED
    return Roles(*(replace(one, log_speed_mean=mean, log_speed_sd=sd) for one in (found.prefill, found.decode)))


def sketched_roles(question: RoleQuestion) -> Roles:
    """What can be said without measuring: each role's part of the work at a careful load."""
    prefill, decode = sketched(question.prefill), sketched(question.decode)
    first = replace(prefill.work, output_token=0.0)
    rest = replace(decode.work, prompt_token=0.0, request=0.0)
    return Roles(
        _sketch(prefill, first, "ttft", question.prefill.prompt_tokens * first.prompt_token),
        _sketch(decode, rest, "tpot", question.decode.output_tokens * rest.output_token),
    )


def _sketch(whole: ServiceModel, work: WorkPerUnit, binding: str, waiting_s: float) -> ServiceModel:
    capacity = replace(whole.capacity, binding=(binding,) * len(whole.capacity.binding))
    return replace(whole, work=work, capacity=capacity, waiting_work_s=waiting_s, source=f"{whole.source}, one role")


class RoleServices:
    """Answers at once with the best that is known, and lets a worker find out more. Use as a context manager."""

    def __init__(self, *, cache: Path, measure: Callable[[RoleQuestion, Path], Roles] = measured_roles) -> None:
        self._cache = cache.expanduser()
        self._worker = Worker(measure)
        self._standing: dict[tuple[object, ...], Roles] = {}
        self._told: set[RoleQuestion] = set()
        self._lengths: dict[Key, Lengths] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.__exit__()

    def of(self, resource: Resource, history: DemandHistory) -> Roles:
        """Both models for a resource of two pools, with the request lengths that its history has of late."""
        lengths = mean_lengths(history, self._lengths.get(resource.key))
        if lengths is not None:
            self._lengths[resource.key] = lengths
        asked = RoleQuestion(*(question_of(view, history, lengths) for view in views(resource)))
        hardware = tuple((one.model, one.accelerator, one.gpus, one.objective) for one in (asked.prefill, asked.decode))
        answer = self._worker.answer(asked, self._cache)
        if isinstance(answer, Roles):
            self._standing[hardware] = answer
        elif isinstance(answer, Exception) and not isinstance(answer, NoProfile | NoShape) and asked not in self._told:
            self._told.add(asked)
            logger.warning("capacity of both roles of %s: %r", resource.model, answer)
        # What was measured for other lengths is nearer than a sketch.
        return self._standing.get(hardware) or sketched_roles(asked)


def _read(path: Path) -> Roles | None:
    """What was kept; None where there is nothing or it cannot be read, which only costs the time to measure again."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Roles(_model(kept["prefill"]), _model(kept["decode"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _model(kept: dict[str, Any]) -> ServiceModel:
    table = kept["capacity"]
    return ServiceModel(
        work=WorkPerUnit(**kept["work"]),
        capacity=CapacityTable(
            tuple(table["replicas"]), tuple(table["per_replica"]), tuple(table["binding"]), table["steepness"]
        ),
        source=str(kept["source"]),
        log_speed_sd=float(kept["log_speed_sd"]),
    )


def _keep(path: Path, found: Roles) -> None:
    """Whole or not at all; a folder that cannot be written only costs the time to measure again."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump(asdict(found), file)
        Path(file.name).replace(path)
