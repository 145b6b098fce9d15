"""Each policy's own knob: what its owner turns to trade GPUs for promises, and where to look for its best setting.

Promised: every policy is searched by the same rule and the same number of settings. The first ones are spread over the
whole range; each further one halves a gap in which an attainment is crossed.

What is NOT promised: that a policy has no other knob worth turning. The others stay as the scenario sets them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np

from foretide.policies.flow import Objective
from foretide.simulator.run import Bench
from foretide.simulator.scenario import BadScenario, Scenario
from foretide.simulator.written import Problem

PRICES = (1e-5, 1e-1)
"""Of a missed request in GPU-hours, between which a price is sought."""
FIRST = 4
"""Settings that are tried before anything is known."""


class Scale(StrEnum):
    """On what scale neighbouring settings are equally far apart."""

    LOG = "log"
    LOGIT = "logit"
    COUNT = "count"
    """Whole numbers, by their logarithm."""


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting by its name in a scenario's `policies`, and the range in which a search looks."""

    name: str
    low: float
    high: float
    scale: Scale = Scale.LOG

    def first(self, count: int) -> tuple[float, ...]:
        """Up to `count` settings from end to end of the range, ascending."""
        ends = self._onto(self.low), self._onto(self.high)
        return tuple(sorted({self._back(float(at)) for at in np.linspace(*ends, count)}))

    def between(self, one: float, other: float) -> float | None:
        """The setting half-way; None where there is none."""
        middle = self._back((self._onto(one) + self._onto(other)) / 2)
        return middle if min(one, other) < middle < max(one, other) else None

    def apart(self, one: float, other: float) -> float:
        return abs(self._onto(one) - self._onto(other))

    def _onto(self, value: float) -> float:
        return float(np.log(value / (1 - value)) if self.scale is Scale.LOGIT else np.log(value))

    def _back(self, at: float) -> float:
        if self.scale is Scale.LOGIT:
            return float(f"{1 / (1 + np.exp(-at)):.4g}")
        return float(max(1, round(np.exp(at)))) if self.scale is Scale.COUNT else float(f"{np.exp(at):.4g}")


def knob_of(policy: str, scenario: Scenario) -> Knob | None:
    """The knob of a policy; None for one that has none."""
    sequences = float(scenario.deployment.max_num_seqs)
    priced = scenario.objective.costs is not None
    waiting, running = (0.05, sequences / 16), (max(1.0, sequences / 64), sequences)
    knobs = {
        "foretide": (
            Knob("costs.violation", *PRICES) if priced else Knob("maxViolationProbability", 0.001, 0.95, Scale.LOGIT)
        ),
        "static": Knob("replicas", float(scenario.min_replicas), float(scenario.max_replicas), Scale.COUNT),
        "hpa": Knob("target", *waiting),
        "hpa-utilization": Knob("target", 0.05, 0.99, Scale.LOGIT),
        "hpa-concurrency": Knob("target", *running),
        "keda": Knob("running_threshold", *running),
        "knative": Knob("concurrency", *running),
        "dynamo": Knob("slo_scale", 0.3, 2.0),
        "wva": Knob("slo_scale", 0.3, 5.0),
        "sageserve": Knob("buffer", 0.02, 2.0),
        "last-value": Knob("headroom", 0.5, 3.0),
    }
    return knobs.get(policy)


def given(policy: str, knob: Knob | None, scenario: Scenario) -> tuple[float, ...]:
    """The settings that a scenario lists for a policy's knob, ascending; empty where they are to be searched.

    Raises BadScenario for values that the knob cannot have.
    """
    if knob is None:
        return ()
    listed = tuple(sorted(set(scenario.knobs.get(policy, {}).get(knob.name, ()))))
    most = 1.0 if policy == "foretide" and scenario.objective.costs is None else float("inf")
    wrong = next((value for value in listed if not 0 < value < most), None)
    if wrong is not None:
        fix = "give probabilities above 0 and below 1" if policy == "foretide" else "give finite numbers above 0"
        raise BadScenario([Problem(f"policies.{policy}.{knob.name}", f"{wrong:g}", fix)])
    return listed


def turned(bench: Bench, *, policy: str, knob: Knob, value: float) -> Bench:
    """The same bench with one policy's knob at a value."""
    scenario = bench.scenario
    if policy == "foretide":
        changed = replace(scenario, objective=_promise(scenario.objective, value))
    else:
        settings = {**scenario.knobs.get(policy, {}), knob.name: (value,)}
        changed = replace(scenario, knobs={**scenario.knobs, policy: settings})
    return replace(bench, scenario=changed)


def _promise(objective: Objective, value: float) -> Objective:
    """The objective with its price of a miss, or its accepted risk, at a value."""
    if objective.costs is None:
        return replace(objective, max_violation_probability=value)
    return replace(objective, costs=replace(objective.costs, violation=value))


def to_try(knob: Knob, tried: Mapping[float, float], *, attainments: Sequence[float], room: int) -> tuple[float, ...]:
    """Settings to try next, at most `room`, given the joint attainment of those `tried`; empty when none is left.

    For each attainment the widest gap that crosses it is halved; where none is crossed, the widest gap of all.
    """
    if not tried:
        return knob.first(min(FIRST, room))
    widest = [middle for *_, middle in _gaps(knob, tuple(sorted(tried)))[:1]]
    return tuple(crossings(knob, tried, attainments=attainments) or widest)[:room]


def crossings(knob: Knob, tried: Mapping[float, float], *, attainments: Sequence[float]) -> tuple[float, ...]:
    """For each attainment the middle of the widest gap between two settings of which only one reaches it."""
    gaps = _gaps(knob, tuple(sorted(tried)))
    middles = (
        next((middle for low, high, middle in gaps if (tried[low] < level) != (tried[high] < level)), None)
        for level in attainments
    )
    return tuple(dict.fromkeys(middle for middle in middles if middle is not None))


def _gaps(knob: Knob, values: tuple[float, ...]) -> list[tuple[float, float, float]]:
    """(low, high, half-way) of all gaps between neighbours that can be halved, the widest first."""
    gaps = [(low, high, middle) for low, high in pairwise(values) if (middle := knob.between(low, high)) is not None]
    return sorted(gaps, key=lambda gap: -knob.apart(gap[0], gap[1]))
