"""Foretide's policy with one thing added: published risks are held against what came, and corrected by a factor.

After a plan's horizon has passed, measured demand tells whether the count it left standing would have broken the
objective, by the decision's own rule. With sums over past plans, each weighted by the part of its horizon that no
other plan covers, the factor is the posterior mean of a rate, (PRIOR + broken) / (PRIOR + promised), within LIMITS. A
risk is told times the factor, and accepted divided by it.

This is an experiment of bench/risk_calibration.py and no part of the product: what it earns is on that page.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from foretide.policies.accepted_risk import broken_paths, violation_probability
from foretide.policies.ahead import Ahead, ahead_of, planning_horizon
from foretide.policies.flow import Decision, DemandHistory, Evidence, Memory, ServiceModel
from foretide.policies.turn import TargetSpec
from foretide.simulator.autoscaler import View
from foretide.simulator.shipped import Shipped

PRIOR = 1.0
LIMITS = (0.25, 4.0)


@dataclass(frozen=True, slots=True)
class Told:
    """What one plan published: with `count` replicas, P(the objective breaks within the horizon) as the paths say."""

    at: float
    count: int
    probability: float
    bins: int
    window: int
    share: float
    """The part of its horizon that is its own."""


def told(evidence: Evidence, decision: Decision) -> Told | None:
    """None where there was no forecast."""
    if evidence.forecast is None:
        return None
    ahead = ahead_of(evidence, evidence.forecast)
    return Told(
        at=evidence.history.end,
        count=decision.desired,
        probability=violation_probability(ahead, evidence.service.capacity, decision.desired),
        bins=ahead.work.shape[1],
        window=ahead.window,
        share=min(1.0, evidence.rhythm.plan_s / planning_horizon(evidence)),
    )


def came(one: Told, history: DemandHistory, service: ServiceModel) -> bool | None:
    """Whether the demand that came would have broken the objective with that count; None where it was not measured."""
    first = round((one.at - history.start) / history.step)
    rows = history.values[max(0, first) : first + one.bins]
    if first < 0 or len(rows) < one.bins or not np.isfinite(rows).all():
        return None
    work = service.work.of(rows)[None, :] * float(service.weight(np.array(service.log_speed_mean)))
    return bool(broken_paths(Ahead(work, work, one.window, history.step), service.capacity, one.count)[0])


class Recalibrated(Shipped):
    """Shipped, with the factor."""

    def __init__(self, shipped: Shipped) -> None:
        self.__dict__.update(shipped.__dict__)
        self._declared = self._spec
        self._waiting: list[Told] = []
        self._promised = self._broken = PRIOR
        self.factors: dict[float, float] = {}
        """By the time of the plan that they corrected."""

    @property
    def factor(self) -> float:
        return min(max(self._broken / self._promised, LIMITS[0]), LIMITS[1])

    def _plan(self, view: View, memory: Memory) -> tuple[Evidence, Decision]:
        self._spec = _accepting(self._declared, lambda risk: min(0.999, risk / self.factor))
        self.factors[view.now] = self.factor
        evidence, decision = super()._plan(view, memory)
        new = told(evidence, decision)
        self._waiting += [] if new is None else [new]
        self._learn(evidence)
        return evidence, decision

    def _learn(self, evidence: Evidence) -> None:
        history, due = evidence.history, evidence.history.end + 1e-6
        for one in [one for one in self._waiting if one.at + one.bins * history.step <= due]:
            self._waiting.remove(one)
            broke = came(one, history, evidence.service)
            if broke is not None:
                self._promised += one.share * one.probability
                self._broken += one.share * broke


def _accepting(spec: TargetSpec, corrected: Callable[[float], float]) -> TargetSpec:
    risk = corrected(spec.objective.max_violation_probability)
    return replace(spec, objective=replace(spec.objective, max_violation_probability=risk))
