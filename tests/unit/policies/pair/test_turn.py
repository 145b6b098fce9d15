"""One turn of two pools: one forecast as far ahead as the slower pool plans, and the same decision every time."""

from dataclasses import dataclass, field

from given import OBJECTIVE, ONE_WORK_PER_REQUEST, forecast, history, pool

from foretide.policies.flow import (
    Behavior,
    ColdStart,
    DemandForecast,
    DemandHistory,
    LatencyTarget,
    Memory,
    Mode,
    Objective,
    Rhythm,
)
from foretide.policies.pair.setting import Prices
from foretide.policies.pair.turn import Half, PairSpec, pair_question, plan_pair_turn
from foretide.policies.turn import Sight, TargetSpec, question_of

BOTH = Objective(ttft=OBJECTIVE.ttft, tpot=LatencyTarget(99.0, 0.025), max_violation_probability=0.01)
SPEC = TargetSpec("prod/llama", Mode.AUTO, BOTH, Behavior())


@dataclass
class Asked:
    """A forecaster that notes how far ahead it was asked."""

    horizons: list[int] = field(default_factory=list)

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        self.horizons.append(horizon)
        return forecast(*[25.0] * paths, steps=horizon)


def half(name: str, start_s: float) -> Half:
    sight = Sight(
        now=6000.0,
        pool=pool(1, name=name),
        history=history(*[25.0] * 20),
        backlog=None,
        service=ONE_WORK_PER_REQUEST,
        cold_start=ColdStart(start_s, 0.0),
    )
    return Half(sight, Memory(watching_since=0.0))


def test_the_forecast_reaches_as_far_as_the_pool_that_starts_slower() -> None:
    fast, slow = half("prefill", 30.0), half("decode", 600.0)
    asked = pair_question(spec=SPEC, prefill=fast, decode=slow, rhythm=Rhythm())
    alone = question_of(spec=SPEC, sight=slow.sight, memory=slow.memory, rhythm=Rhythm())
    assert asked == alone
    forecaster = Asked()
    spec = PairSpec(SPEC, Prices(1.0, 1.0))
    plan_pair_turn(spec=spec, prefill=fast, decode=slow, forecaster=forecaster, rhythm=Rhythm(), paths=16)
    assert forecaster.horizons == [alone.horizon]


def test_the_same_sights_give_the_same_decision_for_both_pools() -> None:
    spec = PairSpec(SPEC, Prices(1.0, 1.0))
    turns = [
        plan_pair_turn(
            spec=spec,
            prefill=half("prefill", 30.0),
            decode=half("decode", 60.0),
            forecaster=Asked(),
            rhythm=Rhythm(),
            paths=16,
        )[1]
        for _ in range(2)
    ]
    assert turns[0] == turns[1]
    assert (turns[0].prefill.desired, turns[0].decode.desired) == (3, 3)
