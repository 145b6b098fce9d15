"""What a turn leaves standing for KEDA, and for how long a raise outlives what came after it."""

import pytest
from turned import LLAMA, entry, turn

from foretide.operator.actuate import Actuation, Outcome
from foretide.operator.keda.answer import Answer, Standing, answer, standing_of, succeeding

STALE_S = 180.0


def test_zero_can_be_told() -> None:
    standing = standing_of(turn(live=1, ordered=0, proposed=0), at=0.0)
    told = answer(LLAMA, entry(), standing, pool="", now=1.0, stale_s=STALE_S, leads=True)
    assert told == Answer(0)
    assert not Answer(0).active


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.FAILED])
def test_an_order_that_was_refused_leaves_nothing_standing(outcome: Outcome) -> None:
    assert standing_of(turn(live=3, ordered=5, proposed=5, actuation=Actuation(outcome)), at=0.0) is None


def standing(replicas: int, *, at: float, raised_at: float = float("-inf"), uid: str = "u") -> Standing:
    return Standing(uid, at, replicas, False, raised_at)


def test_a_raise_stands_for_a_minute_and_no_longer() -> None:
    raised = standing(9, at=0.0, raised_at=0.0)
    held = succeeding(raised, standing(5, at=30.0))
    assert (held.replicas, held.at) == (9, 30.0)
    assert succeeding(held, standing(5, at=59.0)).replicas == 9
    assert succeeding(held, standing(5, at=60.0)).replicas == 5


def test_a_larger_count_a_lowering_and_another_resource_need_no_carrying() -> None:
    assert succeeding(standing(9, at=0.0, raised_at=0.0), standing(12, at=1.0)).replicas == 12
    assert succeeding(standing(9, at=0.0), standing(8, at=1.0)).replicas == 8
    assert succeeding(standing(9, at=0.0, raised_at=0.0), standing(5, at=1.0, uid="v")).replicas == 5
