"""How fast a target's replicas are, from turn to turn: learned from live engines, told and kept in the status.

What is NOT promised: a factor that outlives another model, accelerator or number of GPUs. Those start anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, log
from typing import Any

from foretide.policies.demand import EngineSamples
from foretide.policies.flow import ServiceModel
from foretide.policies.speed import (
    FASTEST,
    PRIOR_WEIGHT,
    SLOWEST,
    USUAL_SPREAD,
    Speed,
    at_speed,
    learned_speed,
    log_factor,
    paces_of,
)

Hardware = tuple[str, str, int]
"""Model, accelerator, GPUs per replica."""


@dataclass(slots=True)
class Paced:
    """Mutable; owned by a target."""

    speed: Speed = field(default_factory=Speed)
    _hardware: Hardware | None = None
    _seen: float = float("-inf")
    """Time of the newest sample that was learned from: none counts twice."""

    def learn(self, service: ServiceModel, pods: Mapping[str, EngineSamples], *, hardware: Hardware) -> ServiceModel:
        """The service model at the speed learned so far, what `pods` show since the last turn included."""
        if self._hardware not in (None, hardware):
            self.speed = Speed()
        self._hardware = hardware
        if service.steps is not None:
            seen = log_factor(paces_of(pods, since=self._seen), service.steps)
            self.speed = learned_speed(self.speed, prior=(service.log_speed_mean, service.log_speed_sd), seen=seen)
            self._seen = max([self._seen, *(float(samples.at[-1]) for samples in pods.values())])
        return at_speed(service, self.speed)


def speed_told(service: ServiceModel) -> dict[str, Any]:
    """For `status.lastDecision.speed`."""
    factor, low, high = (f"{one:.3f}" for one in service.speed())
    return {"factor": factor, "low": low, "high": high, "observations": service.observed}


def remembered(status: Mapping[str, Any]) -> Speed:
    """What a status says of an earlier life's learning; a few observations' worth, so that it can be unlearned.

    Anything that is not a factor between the fastest and the slowest possible counts as nothing said.
    """
    told = (status.get("lastDecision") or {}).get("speed") or {}
    try:
        factor, low, high = (float(told[name]) for name in ("factor", "low", "high"))
        observed = int(told["observations"])
    except (KeyError, TypeError, ValueError):
        return Speed()
    if observed < 1 or not all(map(isfinite, (factor, low, high))) or not FASTEST <= low <= factor <= high <= SLOWEST:
        return Speed()
    sd = max(log(high / low) / (2 * 1.645), USUAL_SPREAD)
    return Speed(mean=log(factor), sd=sd, weight=PRIOR_WEIGHT, observed=observed)
