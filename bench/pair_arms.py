"""Four ways to size two pools, each with one knob: together, apart, at a fixed ratio, by Dynamo's proportional rule.

The first three see the same joint demand paths and go through the same order and guardrails; only the choice differs.
Dynamo's rule is its throughput loop for disaggregated serving (components/src/dynamo/planner): every 180 s request
count and mean lengths are predicted one interval ahead, each by itself; replicas of a pool = tokens/s of its role over
what one replica carries. Its correction factors are left out: both pools are measured on the simulator they run on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from pair_world import STEP_S, Mixes

from foretide.policies.flow import Evidence, Floats, Reason, ReasonCode
from foretide.policies.pair.choose import Limits, independent
from foretide.policies.pair.needs import Needs, needs_of
from foretide.policies.pair.propose import limits_of, propose_pair
from foretide.policies.pair.setting import Counts, PairEvidence, PairProposal
from foretide.simulator.predictors import Arima, Predictor

INTERVAL_S = 180.0
RISKS = (0.01, 0.05, 0.15, 0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True)
class Arm:
    """`plans` are every 60 s through `plan_pair`; `dynamo` has no proposal of its own."""

    name: str
    told: str
    knobs: tuple[float, ...]
    propose: Callable[[PairEvidence, float], PairProposal | None] | None


def together(evidence: PairEvidence, ratio: float) -> PairProposal | None:  # noqa: ARG001 (the fixed ratio's)
    return propose_pair(evidence)


def apart(evidence: PairEvidence, ratio: float) -> PairProposal | None:  # noqa: ARG001
    """Each pool by itself at half the risk."""
    needs, limits = needs_of(evidence), limits_of(evidence)
    found = independent(needs, accepted=evidence.prefill.objective.max_violation_probability, limits=limits)
    return _proposal(evidence, needs, found or limits.most)


def at_ratio(evidence: PairEvidence, ratio: float) -> PairProposal | None:
    """The fewest prefill replicas whose pair at `ratio` (prefill over decode) keeps the accepted risk."""
    needs, limits = needs_of(evidence), limits_of(evidence)
    accepted = evidence.prefill.objective.max_violation_probability
    for decode in range(1, limits.most.decode + 1):
        counts = Counts(max(1, ceil(ratio * decode - 1e-9)), decode)
        if counts.prefill > limits.most.prefill:
            break
        if _carries(counts, limits) and needs.probability(counts) <= accepted + 1e-9:
            return _proposal(evidence, needs, counts)
    return _proposal(evidence, needs, limits.most)


ARMS = (
    Arm("together", "both counts from the joint risk (Foretide)", RISKS, together),
    Arm("apart", "each pool by itself at half the risk", RISKS, apart),
    Arm("ratio", "the day's best fixed ratio", RISKS, at_ratio),
    Arm("dynamo", "Dynamo's proportional rule, ARIMA, 180 s", (0.9, 1.0, 1.1, 1.2, 1.4, 1.7), None),
)


class Dynamo:
    """The proportional rule; `headroom` multiplies what is predicted."""

    def __init__(self, mixes: Mixes, *, headroom: float, most: Counts, past: Floats) -> None:
        self._mixes, self._headroom, self._most = mixes, headroom, most
        self._predictors: tuple[Predictor, ...] = (Arima(), Arima(), Arima())
        bins = round(INTERVAL_S / STEP_S)
        for first in range(0, len(past) - bins + 1, bins):
            self._learn(past[first : first + bins])

    def counts(self, rows: Floats) -> Counts:
        """For the next interval, after one with these rows, (T, 3)."""
        self._learn(rows)
        rate, prompt, output = (0.0 if told is None else float(told[0]) for told in map(_next, self._predictors))
        roles = self._mixes.of(rows)
        demand = np.array([[rate, rate * prompt, rate * output]]) * self._headroom
        wanted = []
        for service, most in ((roles.prefill, self._most.prefill), (roles.decode, self._most.decode)):
            carried = service.capacity.total(1)
            wanted.append(min(most, max(1, ceil(float(service.work.of(demand)[0]) / carried - 1e-9))))
        return Counts(*wanted)

    def _learn(self, rows: Floats) -> None:
        rate, prompts, outputs = rows.mean(axis=0)
        seen = (rate, prompts / max(rate, 1e-9), outputs / max(rate, 1e-9))
        for predictor, value in zip(self._predictors, seen, strict=True):
            predictor.add(float(value))


def _next(predictor: Predictor) -> Floats | None:
    return predictor.predict(1)


def best_ratio(mixes: Mixes, past: Floats) -> float:
    """Prefill over decode replicas at the day's own peaks of either pool: what a fixed ratio would be set to."""
    bins = round(INTERVAL_S / STEP_S)
    needed = []
    for first in range(0, len(past) - bins + 1, bins):
        rows = past[first : first + bins]
        roles = mixes.of(rows)
        pools = (roles.prefill, roles.decode)
        needed.append([float(one.work.of(rows).mean()) / one.capacity.total(1) for one in pools])
    prefill, decode = np.max(needed, axis=0)
    return float(prefill / decode)


def accepting(evidence: Evidence, risk: float) -> Evidence:
    return replace(evidence, objective=replace(evidence.objective, max_violation_probability=risk))


def _carries(counts: Counts, limits: Limits) -> bool:
    return counts.prefill >= limits.least.prefill and counts.decode >= limits.least.decode


def _proposal(evidence: PairEvidence, needs: Needs, counts: Counts) -> PairProposal:
    price = evidence.prices.of(counts)
    return PairProposal(counts, needs.probability(counts), price, held=True, reason=Reason(ReasonCode.STEADY, "bench"))
