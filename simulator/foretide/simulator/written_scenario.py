"""A scenario file as users write it, field by field. Parsed once, here.

Promised: every field has one meaning and is checked by itself; what goes wrong names the field. NOT promised: that the
model is known or that the file with the requests exists; `scenario` finds that out.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from foretide.simulator import routing
from foretide.simulator.answers import SHORTEST_S
from foretide.simulator.profiles import Deployment, Partition, Profile
from foretide.simulator.requests import BLOCK_TOKENS
from foretide.simulator.settings import Settings
from foretide.simulator.stress import AnyStress
from foretide.simulator.written import Written, WrittenBehavior, WrittenObjective
from foretide.simulator.written_conditions import (
    Moment,
    Positive,
    WrittenColdStart,
    WrittenFailures,
    WrittenFault,
    WrittenNodes,
    WrittenPower,
)

Beat = Field(ge=SHORTEST_S)
"""What happens more often than this would keep a replay from ever coming to its end."""


class WrittenRequests(Written):
    path: Annotated[str, Field(min_length=1)]
    format: str | None = None
    scale_rate: Annotated[float, Positive] = 1.0
    start: Annotated[float, Moment] = 0.0
    duration: Annotated[float, Moment, Positive] | None = None
    jitter: Annotated[float, Moment, Field(le=3600)] = 0.0
    block_tokens: Annotated[int, Field(ge=1)] = BLOCK_TOKENS


class WrittenPartition(Written):
    prefill_share: Annotated[float, Field(gt=0, lt=1)]
    decode_knee: Annotated[float, Field(gt=0, lt=1)]

    def partition(self) -> Partition:
        return Partition(prefill_share=self.prefill_share, decode_knee=self.decode_knee)


_IDENTITY = {"model", "gpu", "tp", "profiles"}


class WrittenDeployment(Written):
    model: str
    gpu: str
    tp: Annotated[int, Field(ge=1, le=1024)] = 1
    max_num_seqs: Annotated[int, Field(ge=1)] = 256
    chunk: Annotated[int, Field(ge=1)] = 2048
    kv_tokens: Annotated[int, Field(ge=1)] | None = None
    speed_factor: Annotated[float, Positive] = 1.0
    http_overhead_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    block_tokens: Annotated[int, Field(ge=1, le=1024)] = 16
    prefix_cache: bool = False
    whole_prompts: bool = False
    partition: WrittenPartition | None = None
    profiles: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_simulated(self) -> "WrittenDeployment":
        if self.prefix_cache and self.partition is not None:
            raise ValueError("prefix_cache is not simulated on a partitioned GPU; remove one of the two")
        return self

    def deployment(self, profile: Profile) -> Deployment:
        """Raises ValueError for one that could serve nothing."""
        settings = {name: getattr(self, name) for name in type(self).model_fields if name not in _IDENTITY}
        return Deployment(profile=profile, **settings | {"partition": self.partition and self.partition.partition()})


class WrittenLimits(Written):
    min: Annotated[int, Field(ge=1, le=10000)] = 1
    max: Annotated[int, Field(ge=1, le=10000)]

    @model_validator(mode="after")
    def _in_order(self) -> "WrittenLimits":
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}; lower min or raise max")
        return self


def _known_routing(value: Any) -> Any:
    if value not in routing.NAMES:
        raise ValueError(f"there is no such routing; give one of {', '.join(routing.NAMES)}")
    return value


class WrittenScenario(Written):
    """All of the file."""

    name: str | None = None
    requests: WrittenRequests | None = None
    workload: dict[str, Any] | None = None
    deployment: WrittenDeployment
    objective: WrittenObjective
    cold_start: WrittenColdStart
    limits: WrittenLimits
    routing: Annotated[str, BeforeValidator(_known_routing)] = routing.DEFAULT
    nodes: WrittenNodes | None = None
    failures: WrittenFailures | None = None
    power: WrittenPower | None = None
    faults: tuple[WrittenFault, ...] = ()
    stress: list[AnyStress] = Field(default_factory=list)
    behavior: WrittenBehavior = WrittenBehavior()
    policies: dict[str, Settings] = Field(default_factory=dict)
    train_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    scrape_s: Annotated[float, Beat] | None = None
    plan_s: Annotated[float, Beat] | None = None
    step_s: Annotated[float, Beat] | None = None
    season_s: Annotated[float, Beat] | None = None
    staleness: Literal["marked", "lookback"] = "marked"
    history_days: Annotated[float, Field(ge=0, le=60)] = 0.0

    @model_validator(mode="after")
    def _one_source(self) -> "WrittenScenario":
        if (self.requests is None) == (self.workload is None):
            raise ValueError("needs requests or workload, and only one of the two")
        if self.history_days and self.workload is None:
            raise ValueError("history_days needs a generated workload; for requests use train_fraction")
        return self

    def knobs(self) -> dict[str, dict[str, tuple[float, ...]]]:
        return {
            policy: {knob: tuple(values) for knob, values in settings.items()}
            for policy, settings in self.policies.items()
        }
