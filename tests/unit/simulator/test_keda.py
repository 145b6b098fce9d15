import pytest
from seen import moments, pod, view

from foretide.simulator.keda import Keda, Trigger, credited


@pytest.mark.parametrize(
    ("demand", "replicas", "pending", "expected"),
    [(3.0, 4, 2, 3.0), (4.0, 4, 4, 4.0), (9.0, 4, 2, 7.0), (9.0, 4, 0, 9.0), (5.0, 4, 3, 4.0), (0.0, 4, 2, 0.0)],
)
def test_the_guard_credits_what_is_on_its_way_and_never_lowers(
    demand: float, replicas: int, pending: int, expected: float
) -> None:
    assert credited(demand, replicas=replicas, pending=pending) == expected


def keda(**changes: object) -> Keda:
    return Keda(min_replicas=1, max_replicas=40, trigger=Trigger(**({"threshold": 5.0} | changes)))  # type: ignore[arg-type]


def test_without_pending_pods_it_is_hpa_on_the_queue() -> None:
    assert keda().decide(view(pod(waiting=16), pod(waiting=4))).replicas == 4


def test_pods_on_their_way_are_taken_off_the_demand() -> None:
    # 60 / 5 = 12 replicas wanted, 4 are starting: 8, not 12.
    seen = view(pod(waiting=30), pod(waiting=30), starting=4)
    assert keda().decide(seen).replicas == 8
    assert keda(credit=False).decide(seen).replicas == 12


def test_no_metric_is_no_action() -> None:
    choice = keda().decide(view(ready=2))
    assert (choice.replicas, choice.code) == (None, "Blind")


def test_a_minimum_of_one_never_goes_to_zero() -> None:
    policy = keda()
    assert {policy.decide(view(pod(), now=at)).replicas for at in moments(0, 1200, 15)} == {None}


def test_an_inactive_target_goes_to_zero_after_its_cooldown_and_not_before() -> None:
    policy = Keda(min_replicas=0, max_replicas=40, trigger=Trigger(cooldown_s=300.0))
    found = {at: policy.decide(view(pod(), now=at)) for at in moments(0, 315, 15)}
    assert [at for at, choice in found.items() if choice.replicas == 0] == [300.0]
    assert found[300.0].code == "CooledDown"


def test_activity_begins_the_cooldown_anew() -> None:
    policy = Keda(min_replicas=0, max_replicas=40, trigger=Trigger(cooldown_s=300.0))
    for at in moments(0, 600, 15):
        choice = policy.decide(view(pod(waiting=1 if at == 240 else 0), now=at))
        assert (choice.replicas == 0) == (at == 540)
        if at == 540:
            break


def test_zero_is_left_only_above_the_activation_threshold() -> None:
    policy = Keda(min_replicas=0, max_replicas=40, trigger=Trigger(activation=2.0))
    # As if a draining replica were still scraped.
    assert policy.decide(view(pod(waiting=2), ready=0, now=0)).code == "Inactive"
    assert policy.decide(view(pod(waiting=3), ready=0, now=30)).replicas == 1


def test_activity_is_polled_every_thirty_seconds() -> None:
    policy = Keda(min_replicas=0, max_replicas=40)
    policy.decide(view(pod(), ready=0, now=0))
    assert policy.decide(view(pod(waiting=3), ready=0, now=15)).replicas is None
    assert policy.decide(view(pod(waiting=3), ready=0, now=30)).replicas == 1
