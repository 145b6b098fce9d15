"""What is published: what is unknown now stays, and only news are events."""

from typing import Any

import pytest

from foretide.operator.tuner.memory import Memory
from foretide.operator.tuner.told import Change, Told, news, part


def told(**changes: Any) -> Told:
    return Told(**{"state": "Steady", "reason": "Steady", "message": "fine", "memory": Memory()} | changes)


def published(one: Told, before: dict[str, Any] | None = None) -> dict[str, Any]:
    return part(one, before=before or {}, generation=3, at=0.0)


def test_what_is_not_known_now_stays_as_it_was() -> None:
    before = published(told(limit=100, baseline=69, change=Change(1, 100, "Changed", "why")))
    after = published(told(state="Waiting", reason="MetricsMissing"), before)
    assert (after["limit"], after["baseline"], after["lastChange"]["to"]) == (100, 69, 100)
    assert "limit" not in published(told())


def test_what_is_about_to_be_written_stands_only_until_it_is() -> None:
    before = published(told(writing=5))
    assert before["writing"] == 5
    assert "writing" not in published(told(), before)


@pytest.mark.parametrize("reason", ["Off", "Paused"])
def test_what_its_owner_wanted_is_no_news(reason: str) -> None:
    assert news(told(state="Stopped", reason=reason), before={}) == ()


def test_a_reason_to_stop_is_told_once_and_again_when_it_changes() -> None:
    stopped = told(state="Stopped", reason="Conflict", message="somebody")
    assert news(stopped, before={}) == (("Warning", "LimitConflict", "somebody"),)
    assert news(stopped, before=published(stopped)) == ()
    assert news(told(state="Stopped", reason="BadKnob", message="x"), before=published(stopped))


def test_changes_are_always_told_and_one_that_is_taken_back_is_a_warning() -> None:
    for reason, name, kind in (("Changed", "LimitChanged", "Normal"), ("RolledBack", "LimitRolledBack", "Warning")):
        one = told(change=Change(100, 69, reason, "because"))
        assert news(one, before=published(one)) == ((kind, name, "100 -> 69: because"),)


def test_a_canary_that_lost_is_told() -> None:
    assert news(told(reason="Rejected", message="no better"), before={}) == (("Normal", "CanaryRejected", "no better"),)


def test_messages_and_memory_fit_the_schema() -> None:
    status = published(told(message="x" * 2000, memory=Memory(learnt={"rows": list(range(50_000))})))
    assert len(status["message"]) <= 512
    assert len(status["memory"]) <= 16384
