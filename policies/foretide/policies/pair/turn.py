"""One turn of two pools: a sight and a memory of each in, one forecast of their demand, one decision out."""

from dataclasses import dataclass, field

from foretide.policies.flow import Forecaster, Memory, Rhythm
from foretide.policies.pair.decide import plan_pair
from foretide.policies.pair.setting import PairDecision, PairEvidence, Prices, Ratio, Transfer
from foretide.policies.turn import Question, Sight, TargetSpec, evidence_of, question_of


@dataclass(frozen=True, slots=True)
class PairSpec:
    """What the owner declared about both pools together, and what their replicas cost."""

    target: TargetSpec
    prices: Prices
    ratio: Ratio = field(default_factory=Ratio)
    transfer: Transfer = field(default_factory=Transfer)


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """One pool: what was seen, with the demand that both have, and what is remembered."""

    sight: Sight
    memory: Memory


def pair_question(*, spec: TargetSpec, prefill: Half, decode: Half, rhythm: Rhythm) -> Question:
    """What `plan_pair_turn` will ask its forecaster: as far ahead as the slower pool plans."""
    asked = (question_of(spec=spec, sight=one.sight, memory=one.memory, rhythm=rhythm) for one in (prefill, decode))
    return max(asked, key=lambda question: question.horizon)


def plan_pair_turn(
    *, spec: PairSpec, prefill: Half, decode: Half, forecaster: Forecaster, rhythm: Rhythm, paths: int = 512
) -> tuple[PairEvidence, PairDecision]:
    """Forecasts over the longer planning horizon and plans both. Deterministic, as `plan_turn` is."""
    asked = pair_question(spec=spec.target, prefill=prefill, decode=decode, rhythm=rhythm)
    history = prefill.sight.usual or prefill.sight.history
    forecast = forecaster.forecast(history=history, horizon=asked.horizon, paths=paths, seed=asked.seed)
    of_prefill, of_decode = (
        evidence_of(spec.target, one.sight, one.memory, rhythm, forecast) for one in (prefill, decode)
    )
    evidence = PairEvidence(of_prefill, of_decode, spec.prices, spec.ratio, spec.transfer)
    return evidence, plan_pair(evidence)
