from given import evidence, forecast, history

from foretide.policies.decide import plan
from foretide.policies.flow import Decision, Hold, ReasonCode
from foretide.policies.sweep import global_hold, held

FALLING = plan(evidence(forecast=forecast(*[12.0] * 100), history=history(*[12.0] * 20)))
RISING = plan(evidence(forecast=forecast(*[45.0] * 100)))
STEADY = plan(evidence())


def decisions(falling: int, steady: int) -> dict[str, Decision]:
    return {f"ns/{i}": FALLING if i < falling else STEADY for i in range(falling + steady)}


def test_many_targets_falling_in_one_sweep_hold_all() -> None:
    assert "4 of 10" in global_hold(decisions(4, 6), demand=100.0, demand_before=100.0)
    assert global_hold(decisions(3, 7), demand=100.0, demand_before=100.0) == ""


def test_demand_halved_between_two_sweeps_holds_all() -> None:
    assert "fell from 100.0 to 40.0" in global_hold(decisions(1, 9), demand=40.0, demand_before=100.0)
    assert global_hold(decisions(1, 9), demand=60.0, demand_before=100.0) == ""


def test_a_handful_of_targets_is_no_evidence_of_an_outage() -> None:
    assert global_hold(decisions(4, 0), demand=10.0, demand_before=100.0) == ""


def test_an_unknown_earlier_demand_accuses_nobody() -> None:
    assert global_hold(decisions(1, 9), demand=10.0, demand_before=None) == ""


def test_only_what_lowers_is_held() -> None:
    stopped = held(FALLING, "a test")
    assert isinstance(stopped.verdict, Hold)
    assert (stopped.desired, stopped.reason.code) == (3, ReasonCode.GLOBAL_HOLD)
    assert held(RISING, "a test") == RISING
