"""`spec.warm` as its owner wrote it, and whether the target could come back from zero at all."""

from typing import Annotated

from pydantic import BeforeValidator

from foretide.operator.base import Written
from foretide.operator.times import seconds
from foretide.policies.declared import Rest

SHORTEST_S, LONGEST_S = 60.0, 86400.0


def _keep_alive(value: object) -> float | None:
    if value == "auto":
        return None
    parsed = seconds(value)
    if not SHORTEST_S <= parsed <= LONGEST_S:
        raise ValueError(f"{value!r} must be auto, or between 1m and 24h")
    return parsed


class WrittenWarm(Written):
    """What may go to zero, and how long it stays ready before."""

    scale_to_zero: bool = False
    keep_alive: Annotated[float | None, BeforeValidator(_keep_alive)] = None

    def rest(self) -> Rest | None:
        return Rest(self.keep_alive) if self.scale_to_zero else None


def contradiction(warm: WrittenWarm, *, engine: str, gateway: bool, min_replicas: int) -> str:
    """Why these do not go together, in one line with the fix; empty where they do."""
    if min_replicas == 0 and not warm.scale_to_zero:
        return "pools[0].minReplicas: 0: needs warm: {scaleToZero: true}, or give at least 1"
    if not warm.scale_to_zero:
        return ""
    if min_replicas > 0:
        return f"warm.scaleToZero: true: pools[0].minReplicas is {min_replicas}; set it to 0"
    if not gateway:
        fix = "use engine epp or dynamo, or custom with metrics.gateway"
        return f"warm.scaleToZero: true: engine {engine} reports from pods that are gone at zero; {fix}"
    return ""
