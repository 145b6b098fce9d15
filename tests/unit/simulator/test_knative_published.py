"""The cases by which knative/serving checks its own autoscaler (pkg/autoscaler/scaling/autoscaler_test.go), as numbers.

Upstream's rules there: target 10 unless said otherwise, rates of 10 both ways, panic at twice the pods, 60 s stable.
"""

from dataclasses import replace

import pytest

from foretide.simulator.knative import KpaDecider, KpaRules

RULES = KpaRules(concurrency=10.0, utilization=1.0, max_up=10.0, max_down=10.0)
ONE = replace(RULES, concurrency=1.0)
Look = tuple[float, int, float, float, int]
"""(time, ready pods, stable, panic, pods wanted)"""


def looked(rules: KpaRules, *looks: Look, ready_at_first: int = 1) -> None:
    decider = KpaDecider(rules, now=0.0, ready=ready_at_first)
    for at, ready, stable, panic, wanted in looks:
        assert decider.scale(now=at, ready=ready, stable=stable, panic=panic) == wanted, at


@pytest.mark.parametrize(
    ("rules", "ready", "stable", "panic", "wanted"),
    [
        (RULES, 1, 0.0, 0.0, 0),  # no traffic
        (replace(RULES, concurrency=181.0), 1, 21.0, 26.0, 1),
        (RULES, 1, 50.0, 49.0, 5),
        (RULES, 5, 50.0, 50.0, 5),
        (replace(ONE, max_up=1.1), 2, 3.0, 3.1, 3),  # a small rate lets one more through
        (replace(RULES, max_down=1.1), 100, 1.0, 1.0, 90),
        (RULES, 1, 50.0, 100.0, 10),  # the panic window takes precedence
        (RULES, 0, 1000.0, 888.0, 10),  # no ready pod counts as one
    ],
)
def test_one_look(rules: KpaRules, ready: int, stable: float, panic: float, wanted: int) -> None:
    looked(rules, (1.0, ready, stable, panic, wanted))


def test_panic_takes_the_larger_window() -> None:
    looked(ONE, (5.0, 5, 50.0, 30.0, 50), ready_at_first=5)
    looked(ONE, (5.0, 5, 20.0, 30.0, 30), ready_at_first=5)


def test_stable_mode_follows_the_stable_window_up_and_down() -> None:
    looked(RULES, (0.0, 1, 50.0, 10.0, 5), (1.0, 1, 100.0, 10.0, 10))
    looked(RULES, (0.0, 8, 100.0, 100.0, 10), (1.0, 8, 50.0, 50.0, 5))
    looked(RULES, (0.0, 1, 1.0, 0.0, 1), (1.0, 1, 0.0, 0.0, 0))


def test_panic_ends_after_a_slow_increase() -> None:
    looked(ONE, (0.0, 10, 11.0, 25.0, 25), (30.0, 40, 30.0, 41.0, 41), (62.0, 55, 50.0, 56.0, 50))


def test_a_surge_prolongs_panic() -> None:
    looked(
        ONE, (0.0, 10, 11.0, 25.0, 25), (30.0, 40, 30.0, 80.0, 80), (90.0, 80, 1.0, 1.0, 80), (91.0, 80, 1.0, 1.0, 8)
    )


def test_an_exponential_rise_is_tracked_and_held() -> None:
    steps = [(0.0, 1, 6), (1.0, 6, 36), (2.0, 36, 216), (2.0, 216, 1296), (3.0, 1296, 1296)]
    looked(ONE, *((at, ready, float(load), float(load), load) for at, ready, load in steps))


def test_after_panic_the_count_falls_to_what_the_stable_window_wants() -> None:
    looked(
        RULES,
        (0.0, 1, 100.0, 100.0, 10),
        (1.0, 10, 100.0, 1000.0, 100),
        (31.0, 10, 1.0, 1.0, 100),
        (62.0, 10, 1.0, 1.0, 1),
    )


def test_rates_limit_each_step() -> None:
    looked(RULES, (0.0, 1, 1000.0, 1001.0, 10), (1.0, 10, 1000.0, 1001.0, 100))
    looked(RULES, (0.0, 100, 1.0, 1.0, 10), (1.0, 10, 1.0, 1.0, 1))


def test_the_activation_scale_is_the_least_while_anything_is_wanted() -> None:
    looked(replace(RULES, activation_scale=2.0), (0.0, 1, 0.0, 0.0, 0), (1.0, 1, 1.0, 0.0, 2))


def test_a_scale_down_delay_lets_the_largest_count_scroll_out() -> None:
    slow = replace(RULES, panic_threshold=100.0, scale_down_delay_s=300.0)
    looked(slow, (2.0, 0, 40.0, 40.0, 4), (300.0, 0, 0.0, 0.0, 4), (302.0, 0, 0.0, 0.0, 0))
    looked(
        slow,
        (540.0, 0, 40.0, 40.0, 4),
        (600.0, 0, 30.0, 30.0, 4),
        (660.0, 0, 0.0, 0.0, 4),
        (840.0, 0, 0.0, 0.0, 3),
        (900.0, 0, 0.0, 0.0, 0),
    )


def test_more_than_one_pod_at_the_start_is_panic() -> None:
    assert [KpaDecider(RULES, now=0.0, ready=ready).panicking for ready in (0, 1, 2)] == [False, False, True]
