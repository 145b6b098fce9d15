"""One turn: the forecaster is asked for exactly the horizon that the decision needs, with a seed of its own."""

from dataclasses import replace

from given import NOW, evidence, forecast, history

from foretide.policies.flow import Behavior, ColdStart, DemandForecast, DemandHistory, Memory, Mode, Rhythm
from foretide.policies.turn import Sight, TargetSpec, plan_turn, relief_turn

SPEC = TargetSpec("shop/llama", Mode.AUTO, evidence().objective, Behavior())


class Oracle:
    """Answers with a constant and remembers what it was asked."""

    def __init__(self, answer: DemandForecast | None) -> None:
        self.answer = answer
        self.asked: list[tuple[int, int, int]] = []

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        self.asked.append((horizon, paths, seed))
        return self.answer


def sight(**changes: object) -> Sight:
    given = evidence()
    usual = Sight(NOW, given.pool, given.history, None, given.service, ColdStart(90.0, 0.0))
    return replace(usual, **changes)  # type: ignore[arg-type]


def turn(oracle: Oracle, seen: Sight) -> int:
    _, decision = plan_turn(
        spec=SPEC, sight=seen, memory=Memory(0.0), forecaster=oracle, rhythm=Rhythm(plan_s=60.0), paths=64
    )
    return decision.desired


def test_the_horizon_covers_cold_start_plan_interval_and_the_bin_under_way() -> None:
    oracle = Oracle(forecast(25.0))
    turn(oracle, sight())
    turn(oracle, sight(cold_start=ColdStart(600.0, 0.0)))
    assert [asked[0] for asked in oracle.asked] == [4, 12]


def test_the_forecast_decides() -> None:
    assert turn(Oracle(forecast(*[45.0] * 64)), sight()) == 5


def test_without_a_forecast_the_count_stays() -> None:
    assert turn(Oracle(None), sight()) == 3


def test_the_seed_is_fixed_by_target_and_bin() -> None:
    first, again, later = Oracle(forecast(25.0)), Oracle(forecast(25.0)), Oracle(forecast(25.0))
    turn(first, sight())
    turn(again, sight(now=NOW + 5.0))
    turn(later, sight(history=history(*[25.0] * 20, now=NOW + 60.0)))
    assert first.asked == again.asked
    assert first.asked != later.asked


def test_the_fast_pass_asks_for_no_forecast() -> None:
    seen, decision = relief_turn(spec=SPEC, sight=sight(), memory=Memory(0.0), rhythm=Rhythm())
    assert seen.forecast is None
    assert decision.desired == 3
