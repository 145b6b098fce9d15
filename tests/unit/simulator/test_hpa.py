from seen import moments, pod, view

from foretide.policies.flow import Behavior, ScalingPolicy, ScalingRules
from foretide.simulator.hpa import ExternalMetricHpa, HpaTail


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


def hpa(**changes: object) -> ExternalMetricHpa:
    usual: dict[str, object] = {"name": "hpa", "gauge": "waiting", "target": 5.0, "min_replicas": 1, "max_replicas": 20}
    return ExternalMetricHpa(**(usual | changes))  # type: ignore[arg-type]


def test_hpa_goes_up_at_once_by_at_most_the_greater_of_four_pods_and_a_doubling() -> None:
    assert hpa().decide(view(pod(waiting=90), now=0, ready=2)).replicas == 6
    assert hpa().decide(view(pod(waiting=90), now=0, ready=6)).replicas == 12


def test_hpa_never_leaves_its_limits() -> None:
    policy = hpa(min_replicas=2, max_replicas=5)
    assert policy.decide(view(pod(waiting=500), now=0, ready=3)).replicas == 5
    for step in range(1, 60):
        choice = policy.decide(view(pod(waiting=0), now=15.0 * step, ready=5))
    assert choice.replicas == 2


def test_hpa_comes_down_only_after_five_minutes_without_need() -> None:
    policy = hpa()
    policy.decide(view(pod(waiting=20), now=0, ready=4))
    times = [15.0 * step for step in range(1, 40)]
    choices = {at: policy.decide(view(pod(waiting=0), now=at, ready=4)).replicas for at in times}
    assert all(choices[at] is None for at in times if at < 300)
    assert choices[300.0] == 1


def test_hpa_begins_with_what_it_finds_as_its_first_recommendation() -> None:
    assert hpa().decide(view(pod(waiting=0), now=0, ready=4)).replicas is None


def test_hpa_without_a_metric_does_nothing() -> None:
    choice = hpa().decide(view(ready=4))
    assert (choice.replicas, choice.code) == (None, "Blind")


def test_a_replica_that_is_not_scraped_is_missing_from_the_sum() -> None:
    hpa = ExternalMetricHpa(name="hpa", gauge="running", target=20, min_replicas=1, max_replicas=8)
    choice = hpa.decide(view(pod(running=20), pod(running=20), ready=4))
    assert choice.text == "40 running, target 20 per replica: wants 2, gets 4"
