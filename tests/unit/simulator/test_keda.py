import pytest
from seen import moments, pod, view

from foretide.simulator.keda import Keda, Scaled, credited


@pytest.mark.parametrize(
    ("demand", "replicas", "pending", "expected"),
    [(3.0, 4, 2, 3.0), (4.0, 4, 4, 4.0), (9.0, 4, 2, 7.0), (9.0, 4, 0, 9.0), (5.0, 4, 3, 4.0), (0.0, 4, 2, 0.0)],
)
def test_the_guard_credits_what_is_on_its_way_and_never_lowers(
    demand: float, replicas: int, pending: int, expected: float
) -> None:
    assert credited(demand, replicas=replicas, pending=pending) == expected


def keda(**changes: object) -> Keda:
    return Keda(min_replicas=1, max_replicas=40, scaled=Scaled(**({"threshold": 5.0} | changes)))  # type: ignore[arg-type]


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


def test_a_target_that_was_never_active_goes_to_zero_at_the_first_poll() -> None:
    assert Keda(min_replicas=0, max_replicas=40).decide(view(pod())).replicas == 0


def test_an_inactive_target_goes_to_zero_after_its_cooldown_and_not_before() -> None:
    policy = Keda(min_replicas=0, max_replicas=40, scaled=Scaled(cooldown_s=300.0))
    found = {at: policy.decide(view(pod(waiting=int(at == 0)), now=at)) for at in moments(0, 315, 15)}
    assert [at for at, choice in found.items() if choice.replicas == 0] == [300.0]
    assert found[300.0].code == "CooledDown"


def test_activity_begins_the_cooldown_anew() -> None:
    policy = Keda(min_replicas=0, max_replicas=40, scaled=Scaled(cooldown_s=300.0))
    for at in moments(0, 600, 15):
        choice = policy.decide(view(pod(waiting=int(at in (0, 240))), now=at))
        assert (choice.replicas == 0) == (at == 540)
        if at == 540:
            break


def test_zero_is_left_only_above_the_activation_threshold() -> None:
    policy = Keda(min_replicas=0, max_replicas=40, scaled=Scaled(activation=2.0))
    # As if a draining replica were still scraped.
    assert policy.decide(view(pod(waiting=2), ready=0, now=0)).code == "Inactive"
    assert policy.decide(view(pod(waiting=3), ready=0, now=30)).replicas == 1


def test_activity_is_polled_every_thirty_seconds() -> None:
    policy = Keda(min_replicas=0, max_replicas=40)
    policy.decide(view(pod(), ready=0, now=0))
    assert policy.decide(view(pod(waiting=3), ready=0, now=15)).replicas is None
    assert policy.decide(view(pod(waiting=3), ready=0, now=30)).replicas == 1


def test_the_larger_of_two_triggers_counts() -> None:
    both = keda(running_threshold=10.0)
    assert both.decide(view(pod(running=30, waiting=0), pod(running=31, waiting=0))).replicas == 6
    assert keda(running_threshold=100.0).decide(view(pod(running=30, waiting=30))).replicas == 5
    assert keda().decide(view(pod(running=30), pod(running=31))).replicas is None


def test_the_queue_alone_is_credited() -> None:
    seen = view(pod(running=60, waiting=5), pod(running=60), starting=4)
    assert keda(running_threshold=10.0).decide(seen).replicas == 12


def test_running_requests_keep_a_target_active() -> None:
    policy = Keda(min_replicas=0, max_replicas=40, scaled=Scaled(running_threshold=10.0))
    assert {policy.decide(view(pod(running=1), now=at)).replicas for at in moments(0, 900, 15)} == {None}


def test_a_metric_that_is_gone_for_long_is_replaced_by_the_fallback() -> None:
    policy = keda(fallback_replicas=6)
    found = [policy.decide(view(ready=2, now=at)).replicas for at in moments(0, 75, 15)]
    assert found == [None, None, None, 6, 6]
