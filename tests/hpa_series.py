"""Random HPAs for the golden test: bounds, targets, `behavior` blocks and metric series, all from one seed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import Behavior, ScalingPolicy, ScalingRules, ScalingSelect

Rng = np.random.Generator
Lag = Literal["prompt", "slow", "stuck"]
"""How status.replicas follows spec.replicas: by the next sync, one pod per sync, or not at all in every third sync."""
Metric = Literal["external", "pods"]
Phase = Literal["Running", "Pending", "Failed"]
DOWNSCALE_S = 12
"""What the bed's controller has instead of five minutes, so that a run sees more than one window."""
USUAL = replace(HPA_DEFAULT, down=replace(HPA_DEFAULT.down, stabilization_s=float(DOWNSCALE_S)))
TARGETS_MILLI = (100, 300, 700, 1000, 2500, 5000, 33333)
WINDOWS_S = (0, 0, 1, 2, 3, 5, 8, 12, 20)
SELECTS = (*[ScalingSelect.MAX] * 5, *[ScalingSelect.MIN] * 4, ScalingSelect.DISABLED)
EDGE, GAP, SPLIT, FINE, LOST = 0.2, 0.03, 0.1, 0.1, 0.15


PHASES: tuple[Phase, ...] = ("Running", "Running", "Running", "Running", "Pending", "Failed")


@dataclass(frozen=True, slots=True)
class Case:
    """One HPA and what it will be told."""

    name: str
    kind: Literal["ReplicationController", "Deployment"]
    metric: Metric
    minimum: int
    maximum: int
    begins_with: int
    target_milli: int
    behavior: Behavior | None
    """None where the HPA has no `behavior` at all."""
    lag: Lag
    demand: tuple[float, ...]
    """Replicas that the metric asks for at each sync, before gaps, noise and values on the edge of the tolerance; of a
    metric of pods, its mean over the target."""
    phases: tuple[Phase, ...]
    """Of the pods, which stay as they are; none for an external metric."""
    seed: int

    @property
    def version(self) -> str:
        return "apps/v1" if self.kind == "Deployment" else "v1"

    def manifest(self) -> dict[str, Any]:
        target = {"type": "AverageValue", "averageValue": f"{self.target_milli}m"}
        spec: dict[str, Any] = {
            "scaleTargetRef": {"apiVersion": self.version, "kind": self.kind, "name": self.name},
            "minReplicas": self.minimum,
            "maxReplicas": self.maximum,
            "metrics": [
                {
                    "type": self.metric.capitalize(),
                    self.metric: {"metric": {"name": self.name}, "target": target},
                }
            ],
        }
        if self.behavior is not None:
            spec["behavior"] = written(self.behavior)
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": self.name},
            "spec": spec,
        }


def cases(*, external: int, deployments: int, pods: int, syncs: int, seed: int) -> list[Case]:
    """HPAs on external metrics, the last `deployments` of which, kept small, scale Deployments; then those on pods."""
    return [
        *(_external(index, real=index >= external - deployments, syncs=syncs, seed=seed) for index in range(external)),
        *(_of_pods(index, syncs=syncs, seed=seed) for index in range(external, external + pods)),
    ]


def _external(index: int, *, real: bool, syncs: int, seed: int) -> Case:
    rng = np.random.default_rng([seed, index])
    minimum = int(rng.integers(1, 4))
    maximum = minimum + int(rng.integers(3, 7) if real else rng.integers(4, 60))
    begins = int(rng.integers(minimum, maximum + 1))
    if index % 16 == 5:
        begins = maximum + 3
    if index % 16 == 11:
        minimum, begins = 3, 1
    return Case(
        name=f"case-{index:03d}",
        kind="Deployment" if real else "ReplicationController",
        metric="external",
        minimum=minimum,
        maximum=maximum,
        begins_with=begins,
        target_milli=int(rng.choice(TARGETS_MILLI)),
        behavior=None if index % 8 == 3 else _behavior(rng),
        lag=("prompt", "prompt", "slow", "stuck")[int(rng.integers(4))],  # type: ignore[arg-type]
        demand=_demand(rng, syncs=syncs, top=1.3 * maximum),
        phases=(),
        seed=seed + index,
    )


def _of_pods(index: int, *, syncs: int, seed: int) -> Case:
    rng = np.random.default_rng([seed, index])
    minimum = int(rng.integers(1, 4))
    maximum = minimum + int(rng.integers(4, 20))
    others = tuple(PHASES[int(rng.integers(len(PHASES)))] for _ in range(int(rng.integers(0, 8))))
    return Case(
        name=f"case-{index:03d}",
        kind="ReplicationController",
        metric="pods",
        minimum=minimum,
        maximum=maximum,
        begins_with=int(rng.integers(minimum, maximum + 1)),
        target_milli=int(rng.choice(TARGETS_MILLI)),
        behavior=None if index % 8 == 3 else _behavior(rng),
        lag="prompt",
        demand=_demand(rng, syncs=syncs, top=3.0),
        phases=("Running", *others),
        seed=seed + index,
    )


def written(behavior: Behavior) -> dict[str, Any]:
    """The `behavior` block of a manifest. A direction with HPA's defaults is left out: the API server adds it."""
    return {
        name: {
            "stabilizationWindowSeconds": int(rules.stabilization_s),
            "selectPolicy": rules.select.value,
            "policies": [
                {"type": policy.kind, "value": policy.value, "periodSeconds": int(policy.period_s)}
                for policy in rules.policies
            ],
        }
        for name, rules, usual in (
            ("scaleUp", behavior.up, USUAL.up),
            ("scaleDown", behavior.down, USUAL.down),
        )
        if rules is not usual
    }


def told(demand: float, *, case: Case, status: int, rng: Rng) -> Mapping[str, str]:
    """Quantities for one sync: mostly the demand, at times a value on the edge of the tolerance, a gap, two series."""
    if rng.random() < GAP:
        return {}
    if case.metric == "pods":
        return _by_pod(demand, case=case, rng=rng)
    milli = round(demand * case.target_milli)
    if rng.random() < EDGE:
        milli = _on_the_edge(case.target_milli * status, rng)
    if rng.random() < FINE:
        return {"one": f"{milli * 1000 + int(rng.integers(1, 1000))}u"}
    if rng.random() < SPLIT:
        part = int(rng.integers(0, milli + 1))
        return {"one": f"{part}m", "other": f"{milli - part}m"}
    return {"one": f"{milli}m"}


def _by_pod(demand: float, *, case: Case, rng: Rng) -> Mapping[str, str]:
    """Values of all but some of the pods, pods among them whose value HPA must not count."""
    edge = rng.random() < EDGE
    mean = _on_the_edge(case.target_milli, rng) if edge else demand * case.target_milli
    found = {}
    for number in range(len(case.phases)):
        if rng.random() < LOST:
            continue
        value = mean if edge else mean * float(rng.uniform(0.5, 1.5))
        found[f"{case.name}-{number}"] = f"{max(0, round(value))}m"
    return found


def _on_the_edge(middle: int, rng: Rng) -> int:
    factor = Decimal(str(rng.choice([0.9, 1.0, 1.1])))
    return max(0, int(factor * middle) + int(rng.integers(-1, 2)))


def units(*quantities: str) -> float:
    """The sum of quantities in units, as our functions get it."""
    scale = {"m": Decimal(1000), "u": Decimal(1000000)}
    return float(sum(Decimal(text[:-1]) / scale[text[-1]] for text in quantities))


def _behavior(rng: Rng) -> Behavior:
    up, down = _rules(rng), _rules(rng)
    left_out = rng.random()
    return Behavior(up=USUAL.up if left_out < 0.08 else up, down=USUAL.down if 0.04 < left_out < 0.12 else down)


def _rules(rng: Rng) -> ScalingRules:
    policies = tuple(_policy(rng) for _ in range(int(rng.integers(1, 4))))
    return ScalingRules(float(rng.choice(WINDOWS_S)), policies, SELECTS[int(rng.integers(len(SELECTS)))])


def _policy(rng: Rng) -> ScalingPolicy:
    period = float(rng.integers(1, 16))
    if rng.random() < 0.5:
        return ScalingPolicy("Pods", int(rng.integers(1, 7)), period)
    return ScalingPolicy("Percent", int(rng.integers(5, 151)), period)


def _demand(rng: Rng, *, syncs: int, top: float) -> tuple[float, ...]:
    """Pieces of a few syncs each: level, ramp, walk, spike or nothing at all."""
    values: list[float] = []
    level = float(rng.uniform(0, top))
    while len(values) < syncs:
        length, shape = int(rng.integers(2, 13)), int(rng.integers(5))
        following = float(rng.uniform(0, top))
        if shape == 0:
            piece = np.full(length, following)
        elif shape == 1:
            piece = np.linspace(level, following, length)
        elif shape == 2:
            piece = level + np.cumsum(rng.normal(0, 0.08 * top, length))
        elif shape == 3:
            piece = np.array([following, *[level] * (length - 1)])
        else:
            piece = np.zeros(min(length, 4))
        values += np.clip(piece, 0, top).tolist()
        level = values[-1]
    return tuple(values[:syncs])
