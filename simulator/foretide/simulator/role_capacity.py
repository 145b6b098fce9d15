"""What a prefill pool and a decode pool carry, each measured by itself on the simulated two-pool fleet.

The prefill pool is judged by TTFT on requests that end with their first token; the decode pool by TPOT, behind so many
prefill replicas that none of them is busy. Loads are Poisson, in work/s of the role alone.

What is NOT promised: other lengths. A decode step costs more with longer contexts, so that a table holds for the mix it
was measured with; measure again when lengths drift. Memory that a prefill replica holds for a slow fetch is not in its
table.
"""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import ArrayLike

from foretide.policies.flow import Objective, ServiceModel, WorkPerUnit
from foretide.simulator.capacity import SPEED_SD, Measurement, mean_work, table_of, work_per_unit
from foretide.simulator.disaggregated import DisaggregatedFleet
from foretide.simulator.ledger import RequestOutcome
from foretide.simulator.profiles import Deployment
from foretide.simulator.requests import RequestTrace
from foretide.simulator.starts import StartTier
from foretide.simulator.transfer import Link

IDLE_SHARE = 4.0
"""Prefill replicas in front of a decode pool, over those that would be busy all the time."""

TURNOVERS = 20
"""How often a run of a decode pool fills it anew: a short run ends before the pool is as full as it would become."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The two service models."""

    prefill: ServiceModel
    decode: ServiceModel


def role_services(
    *,
    prefill: Deployment,
    decode: Deployment,
    link: Link,
    objective: Objective,
    prompt_tokens: ArrayLike,
    output_tokens: ArrayLike,
    seed: int = 0,
) -> Roles:
    """Both roles for requests of these lengths (samples of tokens, (n,) each).

    Raises ValueError for an objective without TTFT or TPOT, or with E2E, which belongs to neither pool.
    """
    if objective.ttft is None or objective.tpot is None or objective.e2e is not None:
        raise ValueError("objective: two pools are sized for ttft and tpot; declare both, and not e2e")
    prompts, outputs = np.asarray(prompt_tokens, dtype=np.int64), np.asarray(output_tokens, dtype=np.int64)
    first, rest = replace(objective, tpot=None), replace(objective, ttft=None)
    prompt_work = replace(work_per_unit(prefill, first, prompts, outputs), output_token=0.0)
    alone = Measurement(prefill, first, prompts, np.ones_like(outputs), seed)
    alone.mean_work = mean_work(prompt_work, prompts, outputs)
    output_work = replace(work_per_unit(decode, rest, prompts, outputs), prompt_token=0.0)
    behind = _Behind(decode, rest, prompts, outputs, seed)
    behind.mean_work = mean_work(output_work, prompts, outputs)
    behind.front, behind.link, behind.prompt_work = prefill, link, prompt_work
    return Roles(_service(alone, prompt_work, prefill), _service(behind, output_work, decode))


def _service(measured: Measurement, work: WorkPerUnit, deployment: Deployment) -> ServiceModel:
    profile = deployment.profile
    source = f"simulated {profile.model} on {profile.gpu} x {profile.tp}, one role of two"
    return ServiceModel(work=work, capacity=table_of(measured), source=source, log_speed_sd=SPEED_SD)


class _Behind(Measurement):
    """A decode pool behind prefill replicas that are never busy."""

    front: Deployment
    link: Link
    prompt_work: WorkPerUnit

    def _requests(self, size: int) -> int:
        return max(super()._requests(size), TURNOVERS * self._deployment.max_num_seqs * size)

    def _serve(self, trace: RequestTrace, size: int) -> RequestOutcome:
        busy = len(trace) / float(trace.arrival_s[-1]) * mean_work(self.prompt_work, self._prompts, self._outputs)
        return pair_served(
            (self.front, self._deployment), self.link, trace, (ceil(IDLE_SHARE * busy) + 2, size), seed=self._seed
        )


def pair_served(
    deployments: tuple[Deployment, Deployment],
    link: Link,
    trace: RequestTrace,
    replicas: tuple[int, int],
    *,
    seed: int,
) -> RequestOutcome:
    """What becomes of a trace on a prefill and a decode pool that nobody scales."""
    fleet = DisaggregatedFleet(
        prefill=deployments[0],
        decode=deployments[1],
        link=link,
        trace=trace,
        prefill_replicas=replicas[0],
        decode_replicas=replicas[1],
        cold_start=StartTier(1.0, 0.0),
        seed=seed,
    )
    fleet.advance(float("inf"))
    return fleet.outcome()
