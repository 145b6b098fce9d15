from seen import moments, view

from foretide.policies.flow import Behavior, ScalingPolicy, ScalingRules
from foretide.simulator.hpa import HpaTail


def test_it_goes_up_at_once_by_at_most_the_greater_of_four_pods_and_a_doubling() -> None:
    tail = HpaTail(min_replicas=1, max_replicas=50)
    assert tail.settle(view(now=0, ready=2), wanted=20, why="x").replicas == 6
    assert tail.settle(view(now=60, ready=6), wanted=20, why="x").replicas == 12


def test_it_comes_down_only_after_five_minutes() -> None:
    tail = HpaTail(min_replicas=1, max_replicas=50)
    found = {at: tail.settle(view(now=at, ready=4), wanted=1, why="x").replicas for at in moments(0, 330, 15)}
    assert all(found[at] is None for at in moments(0, 300, 15))
    assert found[300.0] == 1


def test_what_it_finds_first_counts_even_when_it_was_blind_then() -> None:
    tail = HpaTail(min_replicas=1, max_replicas=50)
    assert tail.blind(view(now=0, ready=4), "no metric").replicas is None
    assert tail.settle(view(now=15, ready=4), wanted=1, why="x").replicas is None


def test_bounds_come_last() -> None:
    tail = HpaTail(min_replicas=3, max_replicas=5)
    assert tail.settle(view(now=0, ready=2), wanted=1, why="x").replicas == 3
    assert HpaTail(min_replicas=3, max_replicas=5).settle(view(now=0, ready=4), wanted=30, why="x").replicas == 5


def test_a_behavior_of_ones_own_is_kept_to() -> None:
    slow = Behavior(up=ScalingRules(0.0, (ScalingPolicy("Pods", 1, 60.0),)))
    tail = HpaTail(min_replicas=1, max_replicas=50, behavior=slow)
    assert tail.settle(view(now=0, ready=2), wanted=9, why="x").replicas == 3
    assert tail.settle(view(now=15, ready=3), wanted=9, why="x").replicas is None
