"""What the runs of a frontier stand on: by seed, a training part and an evaluation part, made where needed.

The service model is measured once, with the lengths of the first seed's training part, as one load test before going
live. A seed decides a generated trace, the requests that a changed rate adds or leaves out, and the cold starts; every
policy and setting meets the same (common random numbers).

What is NOT promised: traces that differ by seed where they are recorded and played at their own rate. Then only the
cold starts differ, and intervals speak of those and of the times of day.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from foretide.policies.flow import ServiceModel
from foretide.simulator.bench import first_count, history_before, prepare, split_at
from foretide.simulator.generate import WorkloadShape
from foretide.simulator.requests import RequestTrace
from foretide.simulator.run import Bench
from foretide.simulator.scenario import RequestFile, Scenario, played, read_recorded, read_trace

OTHER_DAY = 100_000
"""Added to a seed: another trace of the same generated workload, to tune on."""
TRAINING_SHARE = 1 / 3
"""Of a recorded trace whose scenario names no training part."""


class Part(StrEnum):
    TRAINING = "training"
    EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Light enough to be sent to every worker: at most one recorded trace; benches are made from it there."""

    scenario: Scenario
    service: ServiceModel
    recorded: RequestTrace | None
    """As recorded, before its rate is changed; None where requests are generated."""

    def bench(self, part: Part, seed: int) -> Bench:
        """The bench of one part for one seed; the last ones made are kept."""
        return _bench(self, part, seed)

    def trace(self, seed: int) -> RequestTrace:
        if self.recorded is None:
            return read_trace(self.scenario, seed=seed)
        return played(self.scenario, self.recorded, seed=seed)


def lay_ground(
    scenario: Scenario, *, seed: int, cache: Path | None = None, progress: Callable[[str, float], None] | None = None
) -> Ground:
    """Reads and measures what all runs share. Raises BadTrace and BadScenario."""
    staged = with_training_part(scenario)
    first = prepare(staged, seed=_training_seed(staged, seed), cache=cache, progress=progress)
    recorded = read_recorded(staged.source) if isinstance(staged.source, RequestFile) else None
    return Ground(staged, first.service, recorded)


def with_training_part(scenario: Scenario) -> Scenario:
    """A recorded trace gives its first third to tuning where the scenario names no part of it."""
    if isinstance(scenario.source, WorkloadShape) or scenario.train_fraction > 0:
        return scenario
    return replace(scenario, train_fraction=TRAINING_SHARE)


def training_told(scenario: Scenario) -> str:
    """What was tuned on, for readers of the figures."""
    if _has_other_day(scenario):
        return "another generated trace of the same workload"
    return f"the first {100 * with_training_part(scenario).train_fraction:.0f} % of the trace"


def _has_other_day(scenario: Scenario) -> bool:
    return isinstance(scenario.source, WorkloadShape) and scenario.train_fraction == 0


def _training_seed(scenario: Scenario, seed: int) -> int:
    return seed + OTHER_DAY if _has_other_day(scenario) else seed


@lru_cache(maxsize=2)
def _bench(ground: Ground, part: Part, seed: int) -> Bench:
    scenario, training = ground.scenario, part is Part.TRAINING
    if training:
        seed = _training_seed(scenario, seed)
        # Nobody tunes on a day of which it is known what will go wrong.
        ground = replace(ground, scenario=replace(scenario, stress=())) if _has_other_day(scenario) else ground
    trace = ground.trace(seed)
    begins_s = split_at(scenario, trace, train_until=None)
    past, ahead = None, trace
    if begins_s > 0 and training:
        ahead, begins_s = trace.between(0.0, begins_s), 0.0
    elif begins_s > 0:
        past = trace.between(0.0, begins_s)
        ahead = trace.between(begins_s, float(trace.arrival_s[-1]) - begins_s + 1.0)
    return Bench(
        scenario=scenario,
        trace=ahead,
        past=past,
        begins_s=begins_s,
        service=ground.service,
        initial=first_count(ahead, ground.service, scenario),
        seed=seed,
        history=history_before(scenario, past, begins_s=begins_s, seed=seed),
    )
