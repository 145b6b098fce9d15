from dataclasses import replace

from given import evidence, forecast, history

from foretide.policies.decide import plan
from foretide.policies.flow import Mode
from foretide.policies.words import explain


def told(**changes: object) -> str:
    given = evidence(**changes)
    return explain(plan(given), given.pool)


def test_an_action_is_told_with_its_step_reason_and_risks() -> None:
    text = told(forecast=forecast(*[45.0] * 100))
    assert text.startswith("main: 3 -> 5 replicas (DemandRises): ")
    assert "4: 1.000, 5: 0.000, 6: 0.000; accepted 0.01" in text


def test_a_hold_is_told_with_the_promise_first_and_the_wish_behind() -> None:
    text = told(
        forecast=forecast(*[12.0] * 100),
        history=history(*[12.0] * 20),
        memory=replace(evidence().memory, watching_since=5900.0),
    )
    assert text.startswith("main: holds 3 replicas (FirstLife): watched for 100 s, lowering needs 600 s. P(objective")


def test_a_recommendation_says_what_it_would_do() -> None:
    assert "would scale 3 -> 5; mode is Recommend" in told(forecast=forecast(*[45.0] * 100), mode=Mode.RECOMMEND)
