from seen import moments, pod, view

from foretide.simulator.knative import Knative, KpaDecider, KpaRules

TEN = KpaRules(concurrency=10.0, utilization=1.0)


def test_seventy_percent_of_the_concurrency_is_aimed_at() -> None:
    assert KpaRules(concurrency=20.0).target == 14.0
    assert KpaRules(concurrency=20.0).panic_s == 6.0


def test_a_stable_load_is_divided_by_the_target() -> None:
    decider = KpaDecider(TEN, now=0.0, ready=1)
    assert decider.scale(now=2, ready=1, stable=11, panic=11) == 2
    assert not KpaDecider(TEN, now=0.0, ready=1).panicking


def test_twice_the_ready_pods_is_panic_and_holds_for_a_stable_window() -> None:
    decider = KpaDecider(TEN, now=0.0, ready=1)
    assert decider.scale(now=100, ready=2, stable=20, panic=40) == 4
    assert decider.panicking
    assert decider.scale(now=102, ready=4, stable=10, panic=1) == 4
    assert decider.scale(now=160, ready=4, stable=20, panic=1) == 4
    assert decider.scale(now=162, ready=4, stable=20, panic=1) == 2
    assert not decider.panicking


def test_at_most_half_goes_at_once() -> None:
    assert KpaDecider(TEN, now=0.0, ready=1).scale(now=2, ready=9, stable=0, panic=0) == 4


def test_a_new_autoscaler_over_several_pods_panics_and_keeps_them() -> None:
    decider = KpaDecider(TEN, now=0.0, ready=5)
    assert decider.panicking
    assert decider.scale(now=2, ready=5, stable=0, panic=0) == 5
    assert decider.scale(now=62, ready=5, stable=0, panic=0) == 2


def test_a_scale_down_delay_keeps_the_largest_count_of_its_time() -> None:
    decider = KpaDecider(KpaRules(10.0, 1.0, scale_down_delay_s=30.0), now=0.0, ready=1)
    assert decider.scale(now=2, ready=2, stable=30, panic=30) == 3
    assert decider.scale(now=20, ready=3, stable=20, panic=20) == 3
    assert decider.scale(now=32, ready=3, stable=20, panic=20) == 2


def test_another_concurrency_is_another_target_from_then_on() -> None:
    knative = Knative(rules=KpaRules(concurrency=10.0, utilization=1.0), min_replicas=1, max_replicas=8)
    busy = view(pod(running=20))
    assert knative.decide(busy).replicas == 2
    knative.admit_at_most(20)
    assert "target 20.0" in knative.decide(busy).text


def policy() -> Knative:
    return Knative(rules=TEN, min_replicas=1, max_replicas=8)


def test_the_stable_mean_is_that_of_the_scrapes_of_a_minute() -> None:
    knative = policy()
    for at, running in zip(moments(0, 75, 15), (90, 20, 20, 20, 20), strict=True):
        choice = knative.decide(view(pod(running=running), now=at))
    assert choice.text.startswith("concurrency 20.0 (panic 20.0)")


def test_waiting_requests_are_concurrency_too() -> None:
    assert policy().decide(view(pod(running=8, waiting=12))).replicas == 2


def test_between_scrapes_the_newest_one_is_the_panic_value() -> None:
    knative = policy()
    knative.decide(view(pod(running=40), now=0))
    choice = knative.decide(view(pod(running=40), now=14, scraped_at=0))
    assert "(panic 40.0)" in choice.text


def test_limits_hold() -> None:
    assert policy().decide(view(pod(running=500))).replicas == 8
    idle = policy()
    for at in moments(0, 120, 2):
        choice = idle.decide(view(pod(), now=at, ready=1))
        assert choice.replicas is None


def test_without_a_scrape_nothing_happens() -> None:
    assert policy().decide(view(ready=3)).code == "Blind"


def test_a_replica_that_is_not_scraped_is_missing_from_the_sum_and_without_any_the_last_scrape_stands() -> None:
    knative = policy()
    for at in moments(0, 150, 15):
        choice = knative.decide(view(*[pod(running=10)] * (4 if at < 60 else 2), ready=4, now=at))
    assert choice.replicas == 2
    assert (
        knative.decide(view(ready=2, now=300.0)).text == "concurrency 20.0 (panic 20.0), target 10.0: wants 2, gets 2"
    )
