from dataclasses import replace
from math import inf

import pytest
from seen import moments, steady_pod, view
from staged import OBJECTIVE

from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.wva import Coefficients, Queue, Targets, Wva, fitted, targets_of

CONV, CODE = (1155.0, 211.0), (2048.0, 27.9)
"""Mean lengths of the Azure 2023 traces (papers.md 3.4)."""
SMALL = Deployment(find_profile(model="Llama-3.1-8B", gpu="H100", tp=1))
LARGE = Deployment(find_profile(model="Llama-3.1-70B", gpu="H100", tp=4))
HALF_A_SECOND, ONE_SECOND = Targets(500.0, 25.0), Targets(1000.0, 50.0)


@pytest.mark.parametrize(
    ("deployment", "targets", "lengths", "rate"),
    [
        (SMALL, HALF_A_SECOND, CONV, 10.8),
        (SMALL, HALF_A_SECOND, CODE, 17.3),
        (LARGE, ONE_SECOND, CONV, 3.23),
        (LARGE, ONE_SECOND, CODE, 5.18),
    ],
)
def test_the_largest_rates_are_those_of_papers_4_2(
    deployment: Deployment, targets: Targets, lengths: tuple[float, float], rate: float
) -> None:
    queue = Queue(fitted(deployment), *lengths, batch=256)
    assert queue.largest_rate(targets) == pytest.approx(rate, rel=0.05)


def test_one_at_a_time_is_the_textbook_queue_with_a_bounded_line() -> None:
    # B = 1 and Q = 10: M/M/1/11 with service time gamma + delta P + (O - 1)(alpha + beta).
    service = 40.0 + 0.02 * 1000 + 99 * (8.0 + 0.4)
    queue, rate = Queue(Coefficients(8.0, 0.4, 40.0, 0.02), 1000.0, 100.0, batch=1), 0.7 / service
    rho, places = 0.7, 11
    shares = [rho**k * (1 - rho) / (1 - rho ** (places + 1)) for k in range(places + 1)]
    present = sum(k * share for k, share in enumerate(shares))
    wait = present / (rate * (1 - shares[-1])) - service
    ttft, itl = queue.means(rate)
    assert ttft == pytest.approx(wait + 40.0 + 0.02 * 1000, rel=1e-6)
    assert itl == pytest.approx(8.4, rel=1e-6)


def test_latency_grows_with_the_rate_and_is_on_target_at_the_largest() -> None:
    queue = Queue(fitted(SMALL), *CONV, batch=256)
    largest = queue.largest_rate(HALF_A_SECOND)
    ttfts = [queue.means(share * largest / 1000)[0] for share in (0.2, 0.5, 0.8, 1.0)]
    assert ttfts == sorted(ttfts)
    assert ttfts[-1] == pytest.approx(500.0, rel=1e-3)


def test_a_target_below_an_idle_replica_has_no_rate() -> None:
    assert Queue(fitted(SMALL), *CONV, batch=256).largest_rate(Targets(5.0, 25.0)) == 0.0


def test_without_targets_the_fastest_service_is_the_limit() -> None:
    queue = Queue(Coefficients(8.0, 0.4, 40.0, 0.02), 1000.0, 100.0, batch=4)
    fastest = 4000.0 / (40 + 0.02 * 1000 * 4 + 99 * (8 + 0.4 * 4))
    assert queue.largest_rate(Targets()) == pytest.approx(fastest, rel=2e-3)


def test_a_slower_deployment_has_larger_coefficients_throughout() -> None:
    slow = fitted(replace(SMALL, speed_factor=1.5))
    assert slow.alpha == pytest.approx(1.5 * fitted(SMALL).alpha)
    assert slow.delta == pytest.approx(1.5 * fitted(SMALL).delta)


def test_targets_are_thresholds_in_milliseconds() -> None:
    assert targets_of(OBJECTIVE, scale=0.5) == Targets(250.0, 12.5)
    assert targets_of(replace(OBJECTIVE, tpot=None)).itl_ms == inf


def wva() -> Wva:
    return Wva(deployment=SMALL, objective=OBJECTIVE, min_replicas=1, max_replicas=20)


def test_completed_requests_over_the_largest_rate_are_the_replicas() -> None:
    # 30 requests/s of conversation lengths at about 11 per replica.
    pods = {"a": steady_pod(30.0, until=300, prompt=1155, output=211)}
    assert wva().decide(view(now=305, ready=1, samples=pods)).replicas == 3


def test_the_metric_is_made_every_minute_and_taken_every_fifteen_seconds() -> None:
    policy, asked = wva(), []

    def samples_at(now: float) -> None:
        seen = view(now=now, ready=1, samples={"a": steady_pod(5.0, until=now)})
        counted = replace(seen, samples=lambda: asked.append(now) or seen.samples())  # type: ignore[func-returns-value]
        policy.decide(counted)

    for now in moments(60, 240, 15):
        samples_at(now)
    assert asked == [60.0, 120.0, 180.0]


def test_no_completed_request_seen_is_no_action() -> None:
    assert wva().decide(view(now=305, ready=2)).code == "Blind"
