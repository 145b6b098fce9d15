"""What the owner of a target declares: the promise, the limits on the speed of change, and who may act.

Parsed once at the border; everything here is already valid.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class LatencyTarget:
    """`percentile` (0-100) of requests are within `threshold_s` seconds."""

    percentile: float
    threshold_s: float


@dataclass(frozen=True, slots=True)
class Costs:
    """What both sides of the bargain cost, in one currency of the owner's choice. Both are above 0."""

    gpu_hour: float
    violation: float
    """One request that misses a declared threshold."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The promise. At least one of `ttft`, `tpot`, `e2e` is given (the API refuses a resource without)."""

    ttft: LatencyTarget | None = None
    tpot: LatencyTarget | None = None
    e2e: LatencyTarget | None = None
    max_violation_probability: float = 0.01
    """Accepted probability that a window breaks a declared percentile."""
    window_s: float = 300.0
    costs: Costs | None = None
    """Given, the count is the one with the least expected cost; without, the fewest whose risk is accepted."""

    def declared(self) -> dict[str, LatencyTarget]:
        named = {"ttft": self.ttft, "tpot": self.tpot, "e2e": self.e2e}
        return {name: target for name, target in named.items() if target is not None}

    def required_joint(self) -> float:
        """The joint attainment that the promise amounts to: the strictest declared percentile."""
        return max(target.percentile for target in self.declared().values()) / 100


class ScalingSelect(StrEnum):
    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """At most `value` pods (or percent of the pods at the period's start) of change per `period_s` seconds."""

    kind: str
    """`Pods` or `Percent`."""
    value: int
    period_s: float


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """One direction of HPA v2 `behavior`, same meanings and units."""

    stabilization_s: float
    policies: tuple[ScalingPolicy, ...]
    select: ScalingSelect = ScalingSelect.MAX


DEFAULT_SCALE_UP = ScalingRules(0.0, (ScalingPolicy("Pods", 4, 15.0), ScalingPolicy("Percent", 100, 15.0)))
DEFAULT_SCALE_DOWN = ScalingRules(120.0, (ScalingPolicy("Pods", 1, 60.0), ScalingPolicy("Percent", 20, 60.0)))
"""An idle replica is kept for about as long as starting it again would take (the ski-rental rule), then released
gently: a wrong forecast has minutes to show itself."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """Limits on the speed of change. Up as HPA by default; down gentler than HPA: max(1, 20 %) per minute."""

    up: ScalingRules = DEFAULT_SCALE_UP
    down: ScalingRules = DEFAULT_SCALE_DOWN


@dataclass(frozen=True, slots=True)
class ScheduledEvent:
    """Demand that the owner knows of beforehand, from `start_s` to `end_s`, seconds since the Unix epoch.

    `expected` is requests/s over the event, or, where `relative`, a multiple of what would come without it.
    """

    start_s: float
    end_s: float
    expected: float
    relative: bool
    confidence: float = 0.9
    """Probability that it takes place, in (0, 1]."""
    name: str = ""
    """Events of one name teach each other by how much the owner's expectation is usually wrong."""


PLACEHOLDER, SLEEPING = "placeholder", "sleeping"


@dataclass(frozen=True, slots=True)
class Between:
    """A tier between zero and ready, as its owner expects it."""

    name: str
    """PLACEHOLDER: at zero, with a node held. SLEEPING: a replica whose engine sleeps."""
    wake_s: float
    """Seconds until it serves."""
    price: float
    """What it costs to hold, as a share of a ready replica's GPUs."""
    keep_s: float | None = None
    """Under a fixed keep-alive: how long it is held before the next colder tier; None for ever."""


@dataclass(frozen=True, slots=True)
class Rest:
    """That a target may go to zero while nobody asks for it."""

    keep_alive_s: float | None = None
    """Ready for so long after the last request; None leaves it to the hazard of its idle periods."""
    between: tuple[Between, ...] = ()
    """Tiers in between, from the coldest on."""

    def without(self, name: str) -> "Rest":
        """The same while one tier cannot be had."""
        return Rest(self.keep_alive_s, tuple(one for one in self.between if one.name != name))

    def has(self, name: str) -> bool:
        return any(one.name == name for one in self.between)


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word for a published recommendation."""

    written: str
    replicas: int
    """-1 where no count could be read."""
    id: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A recommendation that waits for approval, as published."""

    id: str
    before: int
    after: int
    expires: float


class Mode(StrEnum):
    RECOMMEND = "Recommend"
    APPROVE = "Approve"
    RAISE_ONLY = "RaiseOnly"
    AUTO = "Auto"
    PAUSED = "Paused"

    @property
    def acts(self) -> bool:
        """Whether replicas may be written at all."""
        return self in (Mode.APPROVE, Mode.RAISE_ONLY, Mode.AUTO)

    @property
    def compares(self) -> bool:
        """Whether somebody else decides at least part of the count, so that a scorecard tells two counts apart."""
        return self in (Mode.RECOMMEND, Mode.APPROVE, Mode.RAISE_ONLY)
