"""Mode Approve: nothing moves without a word that is of the published recommendation, in time, and still true."""

from dataclasses import replace
from typing import Any

import pytest
from given import NOW, evidence, forecast, history, pool

from foretide.policies.approval import LIFETIME_S, answered
from foretide.policies.decide import plan, relieve
from foretide.policies.flow import Act, Approval, Backlog, Decision, Evidence, Mode, Pending, ReasonCode, Trust

RISING = forecast(*[45.0] * 100)
WAITING = Pending("1f0c9a3e", 3, 5, NOW + 300)


def asked(count: int = 5, name: str = "1f0c9a3e", **changes: Any) -> Evidence:
    """Three replicas that should be five, as published, and a person's word."""
    approval = Approval(f"{count}@{name}", count, name)
    usual: dict[str, Any] = {"mode": Mode.APPROVE, "forecast": RISING, "pending": WAITING, "approval": approval}
    return evidence(**usual | changes)


def refused(decision: Decision) -> str:
    assert not isinstance(decision.verdict, Act)
    told = [reason.text for reason in decision.verdict.reasons if reason.code is ReasonCode.APPROVAL_REFUSED]
    return told[0] if told else ""


def test_without_a_word_it_waits_and_says_what_would_be_done() -> None:
    decision = plan(asked(approval=None, pending=None))
    assert decision.reason.code is ReasonCode.AWAITS_APPROVAL
    assert decision.reason.text == "would scale 3 -> 5; mode is Approve"
    assert decision.desired == 5
    assert decision.pending is not None
    assert (decision.pending.before, decision.pending.after) == (3, 5)
    assert decision.pending.expires == NOW + LIFETIME_S
    assert refused(decision) == ""


def test_an_approval_is_carried_out() -> None:
    decision = plan(asked())
    assert isinstance(decision.verdict, Act)
    assert decision.verdict.order.after == decision.desired == 5
    assert decision.verdict.reasons[0].code is ReasonCode.DEMAND_RISES
    assert decision.verdict.reasons[-1].code is ReasonCode.APPROVED


def test_a_person_may_go_a_part_of_the_way_or_as_far_as_it_is_recommended_by_now() -> None:
    part = plan(asked(4)).verdict
    further = plan(asked(7, forecast=forecast(*[65.0] * 100))).verdict
    assert isinstance(part, Act)
    assert isinstance(further, Act)
    assert (part.order.after, further.order.after) == (4, 7)


def test_a_recommendation_keeps_its_id_while_it_stands_and_gets_another_afterwards() -> None:
    assert plan(asked(approval=None)).pending is WAITING
    assert plan(asked(approval=None, forecast=forecast(*[65.0] * 100))).pending is WAITING
    for changes in (
        {"pending": replace(WAITING, expires=NOW)},
        {"pending": replace(WAITING, expires=NOW + 10 * LIFETIME_S)},
        {"pool": pool(4)},
        {"forecast": forecast(*[35.0] * 100)},
    ):
        renewed = plan(asked(approval=None, **changes)).pending
        assert renewed is not None
        assert renewed.id != WAITING.id
    assert plan(asked(approval=None, forecast=forecast(*[25.0] * 100))).pending is None


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (asked(name="00000000"), "what waits is 5@1f0c9a3e"),
        (asked(-1), "write the count and the id of the recommendation, like 5@1f0c9a3e"),
        (asked(pending=None), "nothing waits for approval"),
        (asked(pending=replace(WAITING, expires=NOW)), "the recommendation has expired"),
        (asked(6), "not on the way from 3 to 5"),
        (asked(3), "not on the way from 3 to 5"),
        (asked(2), "not on the way from 3 to 5"),
        (asked(pool=pool(4)), "it was made for 3 replicas, now there are 4"),
        (asked(forecast=forecast(*[35.0] * 100)), "no longer recommended: by now it is 3 -> 4"),
        (asked(forecast=forecast(*[25.0] * 100)), "no longer recommended: P(objective breaks"),
        (asked(forecast=None), "no longer recommended: there is no forecast"),
        (asked(pool=pool(conflict="an HPA")), "no longer recommended: an HPA"),
        (asked(history=history(25.0, trust=Trust.STALE)), "no longer recommended: metrics are Stale"),
    ],
)
def test_any_other_word_is_refused_once_with_the_reason(seen: Evidence, why: str) -> None:
    decision = plan(seen)
    assert why in refused(decision)
    again = plan(replace(seen, memory=decision.memory))
    assert refused(again) == ""
    assert not isinstance(again.verdict, Act)


def test_an_approval_to_lower_is_held_to_the_same_guardrails() -> None:
    falling: dict[str, Any] = {"forecast": forecast(*[12.0] * 100), "history": history(*[12.0] * 20), "pool": pool(6)}
    waiting = Pending("1f0c9a3e", 6, 4, NOW + 300)
    lowered = plan(asked(4, pending=waiting, **falling))
    assert isinstance(lowered.verdict, Act)
    young = asked(4, pending=waiting, **falling, memory=replace(evidence().memory, watching_since=NOW - 1))
    assert "watched for 1 s" in refused(plan(young))


def test_the_fast_pass_waits_as_well_and_answers_nothing() -> None:
    seen = asked(backlog=Backlog(NOW, 1e5, 1.0, Trust.FRESH))
    decision = relieve(seen)
    assert decision.reason.code is ReasonCode.AWAITS_APPROVAL
    assert decision.memory == seen.memory


def test_other_modes_read_no_approval() -> None:
    for mode in set(Mode) - {Mode.APPROVE}:
        seen = asked(mode=mode, approval=None)
        assert plan(replace(seen, approval=asked().approval)) == plan(seen)
        assert plan(seen).pending is None
        assert answered(seen, seen.memory, plan(seen).verdict) == seen.memory
