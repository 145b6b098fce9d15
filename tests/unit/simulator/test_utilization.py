from seen import moments, pod, view

from foretide.simulator.utilization import UtilizationHpa


def test_gpu_utilisation_is_the_share_of_scrapes_with_something_running() -> None:
    policy = UtilizationHpa(min_replicas=1, max_replicas=20, target=0.4)
    for at, running in zip(moments(0, 60, 15), (1, 0, 0, 0), strict=True):
        choice = policy.decide(view(pod(running=running), now=at, ready=1))
    assert choice.text.startswith("gpu 25% used")


def test_a_pool_under_any_steady_load_grows_to_its_maximum() -> None:
    policy, count = UtilizationHpa(min_replicas=1, max_replicas=6), 1
    for at in moments(0, 600, 15):
        count = policy.decide(view(*[pod(running=1)] * count, now=at)).replicas or count
    assert count == 6


def test_kv_utilisation_is_what_was_scraped() -> None:
    policy = UtilizationHpa(min_replicas=1, max_replicas=20, target=0.5, signal="kv")
    assert policy.decide(view(pod(kv_usage=0.9), pod(kv_usage=0.7))).replicas == 4


def test_without_a_scrape_nothing_happens() -> None:
    choice = UtilizationHpa(min_replicas=1, max_replicas=20).decide(view(ready=3))
    assert (choice.replicas, choice.code) == (None, "Blind")
