"""HPA v2 behavior: expectations are worked out by hand from the Kubernetes documentation's own examples."""

import pytest

from foretide.policies.behavior import HPA_DEFAULT, apply_behavior, rate_limited, stabilized
from foretide.policies.flow import (
    Behavior,
    Memory,
    ReasonCode,
    Recommendation,
    ScaleEvent,
    ScalingPolicy,
    ScalingRules,
    ScalingSelect,
)


def rules(*policies: ScalingPolicy, window: float = 0.0, select: ScalingSelect = ScalingSelect.MAX) -> ScalingRules:
    return ScalingRules(window, policies, select)


def memory(
    *, recommended: tuple[tuple[float, int], ...] = (), scaled: tuple[tuple[float, int, int], ...] = ()
) -> Memory:
    return Memory(
        watching_since=0.0,
        recommendations=tuple(Recommendation(at, n) for at, n in recommended),
        events=tuple(ScaleEvent(at, before, after) for at, before, after in scaled),
    )


def test_scale_down_waits_for_the_highest_recommendation_of_the_window() -> None:
    past = memory(recommended=((800.0, 9), (900.0, 7)))
    assert stabilized(now=1000, current=10, wanted=5, behavior=HPA_DEFAULT, recommendations=past.recommendations) == 9


def test_a_recommendation_older_than_the_window_is_forgotten() -> None:
    past = memory(recommended=((700.0, 9), (900.0, 7)))
    assert stabilized(now=1000, current=10, wanted=5, behavior=HPA_DEFAULT, recommendations=past.recommendations) == 7


def test_scale_up_is_not_stabilised_by_default() -> None:
    past = memory(recommended=((990.0, 2),))
    assert stabilized(now=1000, current=3, wanted=8, behavior=HPA_DEFAULT, recommendations=past.recommendations) == 8


def test_an_up_window_takes_its_lowest_recommendation() -> None:
    behavior = Behavior(up=rules(ScalingPolicy("Pods", 100, 15.0), window=60.0), down=HPA_DEFAULT.down)
    past = memory(recommended=((970.0, 5),))
    assert stabilized(now=1000, current=3, wanted=8, behavior=behavior, recommendations=past.recommendations) == 5


@pytest.mark.parametrize(
    ("current", "allowed"),
    [(1, 5), (3, 7), (4, 8), (10, 20), (80, 100)],
    ids=["four pods win below four", "still four", "equal", "doubling wins above four", "wanted is reached"],
)
def test_hpa_default_goes_up_by_the_greater_of_four_pods_and_doubling(current: int, allowed: int) -> None:
    assert rate_limited(now=0, current=current, wanted=100, behavior=HPA_DEFAULT, events=()) == allowed


def test_pods_added_within_the_period_count_against_it() -> None:
    events = (ScaleEvent(990.0, 10, 13),)
    behavior = Behavior(up=rules(ScalingPolicy("Pods", 4, 15.0)), down=HPA_DEFAULT.down)
    assert rate_limited(now=1000, current=13, wanted=30, behavior=behavior, events=events) == 14


def test_pods_added_before_the_period_do_not() -> None:
    events = (ScaleEvent(980.0, 10, 13),)
    behavior = Behavior(up=rules(ScalingPolicy("Pods", 4, 15.0)), down=HPA_DEFAULT.down)
    assert rate_limited(now=1000, current=13, wanted=30, behavior=behavior, events=events) == 17


def test_the_documented_ten_percent_example_goes_from_80_to_72_to_65() -> None:
    """Kubernetes' own example of a 10 %/min policy: 80 -> 72, then 72 -> 64.8, of which the pods part is truncated."""
    behavior = Behavior(up=HPA_DEFAULT.up, down=rules(ScalingPolicy("Percent", 10, 60.0)))
    assert rate_limited(now=0, current=80, wanted=10, behavior=behavior, events=()) == 72
    assert rate_limited(now=60.1, current=72, wanted=10, behavior=behavior, events=(ScaleEvent(0.0, 80, 72),)) == 64


def test_select_min_takes_the_smallest_change() -> None:
    policies = (ScalingPolicy("Pods", 5, 60.0), ScalingPolicy("Percent", 10, 60.0))
    behavior = Behavior(up=HPA_DEFAULT.up, down=rules(*policies, select=ScalingSelect.MIN))
    assert rate_limited(now=0, current=20, wanted=1, behavior=behavior, events=()) == 18


def test_a_disabled_direction_does_not_move() -> None:
    behavior = Behavior(up=HPA_DEFAULT.up, down=rules(ScalingPolicy("Pods", 5, 60.0), select=ScalingSelect.DISABLED))
    assert rate_limited(now=0, current=20, wanted=1, behavior=behavior, events=()) == 20


def test_what_held_it_back_is_named() -> None:
    steady = memory(recommended=((900.0, 10),))
    assert apply_behavior(now=1000, current=10, wanted=4, behavior=HPA_DEFAULT, memory=steady) == (
        10,
        ReasonCode.STABILIZING,
    )
    gentle = Behavior(up=HPA_DEFAULT.up, down=rules(ScalingPolicy("Pods", 1, 60.0)))
    assert apply_behavior(now=1000, current=10, wanted=4, behavior=gentle, memory=memory()) == (
        9,
        ReasonCode.RATE_LIMITED,
    )
    assert apply_behavior(now=1000, current=2, wanted=4, behavior=HPA_DEFAULT, memory=memory()) == (4, None)
