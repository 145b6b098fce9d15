"""Two pools as their owner wrote them, and all that does not go together with two pools."""

from collections.abc import Sequence
from math import inf
from typing import Annotated, Any, Literal, Protocol

from pydantic import BeforeValidator, model_validator

from foretide.operator.base import Written
from foretide.operator.engines.written import preset_of
from foretide.policies.flow import Mode
from foretide.policies.pair.setting import Ratio

Role = Literal["aggregated", "prefill", "decode"]
ONE_OR_TWO = "give one pool of role aggregated, or one of role prefill and one of role decode"
READ_FROM = ("vllm", "custom")
"""Engines of which prefill and decode replicas tell their own requests."""


def _bound(value: Any) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (OverflowError, TypeError, ValueError):
        number = float("nan")
    if not 0 < number < inf:
        raise ValueError(f"{value!r} is no ratio; write prefill replicas per decode replica above 0, like '0.5'")
    return number


class WrittenRatio(Written):
    """Prefill replicas over decode replicas."""

    min: Annotated[float | None, BeforeValidator(_bound)] = None
    max: Annotated[float | None, BeforeValidator(_bound)] = None

    @model_validator(mode="after")
    def _in_order(self) -> "WrittenRatio":
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}; change one")
        return self

    def bounds(self) -> Ratio:
        return Ratio(self.min or 0.0, inf if self.max is None else self.max)


class WrittenPair(Written):
    """`spec.pair`."""

    ratio: WrittenRatio = WrittenRatio()


class _Target(Protocol):
    api_version: str
    kind: str
    name: str


class _Pool(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def target_ref(self) -> _Target: ...
    @property
    def min_replicas(self) -> int: ...
    @property
    def max_replicas(self) -> int: ...


def misfit(pools: Sequence[_Pool], pair: WrittenPair | None) -> str:
    """Why these pools are neither one nor a pair, in one line with the fix; empty where they are."""
    roles = [pool.role for pool in pools]
    if len(pools) > 2:
        return f"pools: {len(pools)} pools: {ONE_OR_TWO}"
    if len(pools) == 1:
        return _alone(roles[0], pair)
    for index, role in enumerate(roles):
        if role == "aggregated":
            return f"pools[{index}].role: aggregated: is not one of two pools; {ONE_OR_TWO}"
    if roles[0] == roles[1]:
        return f"pools[1].role: {roles[1]}: both pools have it; {ONE_OR_TWO}"
    return _same(pools[0], pools[1]) or _unreachable(pools, pair)


def _alone(role: str, pair: WrittenPair | None) -> str:
    if role != "aggregated":
        return f"pools[0].role: {role}: is one of two pools; {ONE_OR_TWO}"
    return "pair: is for a prefill and a decode pool; leave it out with one pool" if pair is not None else ""


def _same(first: _Pool, second: _Pool) -> str:
    if first.name == second.name:
        return f"pools[1].name: {second.name}: both pools have it; name them, like prefill and decode"
    one, other = first.target_ref, second.target_ref
    if (one.api_version, one.kind, one.name) == (other.api_version, other.kind, other.name):
        return f"pools[1].targetRef.name: {other.name}: both pools scale it; name the other role's workload"
    return ""


def _unreachable(pools: Sequence[_Pool], pair: WrittenPair | None) -> str:
    """Where no pair of counts is within minReplicas, maxReplicas and the ratio."""
    prefill, decode = sorted(pools, key=lambda pool: pool.role, reverse=True)
    ratio = pair.ratio.bounds() if pair is not None else Ratio()
    most, least = prefill.max_replicas / max(1, decode.min_replicas), prefill.min_replicas / decode.max_replicas
    if most >= ratio.least - 1e-9 and least <= ratio.most + 1e-9:
        return ""
    told = f"{ratio.least:g} to {'any' if ratio.most == inf else f'{ratio.most:g}'}"
    return f"pair.ratio: {told}: minReplicas and maxReplicas allow {least:g} to {most:g}; change either"


def beside_a_pair(spec: Any) -> str:
    """What else a spec of two pools (`resource._Spec`) asks for that two pools do not do yet, in one line with the fix.

    Empty where nothing is, or there is one pool.
    """
    if len(spec.pools) < 2:
        return ""
    if spec.mode is Mode.APPROVE:
        return "mode: Approve: approves one count, not two; use Recommend, RaiseOnly or Auto with two pools"
    if spec.actuation != "scale":
        return f"actuation: {spec.actuation}: is of one count; leave it out with two pools"
    if spec.concurrency is not None:
        return "concurrency: is tuned for one pool; leave it out with two pools"
    return _rests(spec) or _unread(spec) or _promises(spec.objective)


def _rests(spec: Any) -> str:
    if spec.warm.scale_to_zero:
        return "warm.scaleToZero: true: is for one pool; leave it out with two pools"
    for index, pool in enumerate(spec.pools):
        if pool.min_replicas == 0:
            return f"pools[{index}].minReplicas: 0: one role alone serves nothing; give at least 1 in both pools"
    return ""


def _unread(spec: Any) -> str:
    gateway = preset_of(spec.engine, spec.metrics).gateway
    if spec.engine in READ_FROM and not gateway:
        return ""
    told = "metrics.gateway" if spec.engine in READ_FROM else f"engine: {spec.engine}"
    return f"{told}: two pools are read from their own pods; use engine {' or '.join(READ_FROM)}, without a gateway"


def _promises(objective: Any) -> str:
    declared = [name for name in ("ttft", "tpot", "e2e") if getattr(objective, name) is not None]
    if declared != ["ttft", "tpot"]:
        return f"objective: declares {', '.join(declared)}: two pools are sized for ttft and tpot; declare these two"
    if objective.costs is not None:
        return "objective.costs: are weighed for one pool; give maxViolationProbability with two pools"
    return ""
