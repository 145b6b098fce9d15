import pytest
from seen import moments, pod, view

from foretide.simulator.utilization import UtilizationHpa, pods_metric


@pytest.mark.parametrize(
    ("used", "current", "wanted"),
    [
        ([0.8, 0.8], 2, 2),
        ([0.86, 0.86], 2, 2),  # 1.075: within the tolerance
        ([1.0, 1.0], 2, 3),  # ceil(1.25 x 2)
        ([0.4, 0.4, 0.4], 3, 2),  # ceil(0.5 x 3)
        ([0.0], 1, 0),
    ],
)
def test_the_mean_over_the_target_is_what_counts(used: list[float], current: int, wanted: int) -> None:
    assert pods_metric(used=used, target=0.8, current=current) == wanted


def test_a_missing_pod_counts_as_idle_on_the_way_up() -> None:
    # (1.0 x 3 + 0) / 4 / 0.5 = 1.5, times four pods.
    assert pods_metric(used=[1.0] * 3, target=0.5, current=4, missing=1) == 6
    assert pods_metric(used=[1.0] * 3, target=0.5, current=3) == 6


def test_a_missing_pod_counts_as_on_target_on_the_way_down() -> None:
    # (0.2 x 3 + 0.8) / 4 / 0.8 = 0.4375, times four pods; without the fourth it would have been one.
    assert pods_metric(used=[0.2] * 3, target=0.8, current=4, missing=1) == 2
    assert pods_metric(used=[0.2] * 3, target=0.8, current=3) == 1


def test_starting_pods_count_as_idle_on_the_way_up_and_may_turn_it_off() -> None:
    # (2 x 1.0 + 0) / 3 / 0.8 = 0.83: would turn the direction, so nothing happens.
    assert pods_metric(used=[1.0, 1.0], target=0.8, current=3, unready=1) == 3
    # (4 x 1.0 + 0) / 5 / 0.5 = 1.6, times five.
    assert pods_metric(used=[1.0] * 4, target=0.5, current=5, unready=1) == 8


def test_starting_pods_do_not_matter_on_the_way_down() -> None:
    assert pods_metric(used=[0.2, 0.2], target=0.8, current=3, unready=1) == 1


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
