"""Pods become counts and observed cold starts."""

from datetime import datetime, timedelta

import pytest
from twins import START, pod

from foretide.operator.gates import AWAKE
from foretide.operator.pods import Counts, Starts, counts, replicas
from foretide.policies.flow import ColdStart

PRIOR = ColdStart(median_s=300.0, sigma=0.5)


def stuck(name: str) -> dict[str, object]:
    waiting = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
    return pod(name, ready=False) | {"status": {"phase": "Pending", "conditions": waiting}}


def test_ready_starting_and_unschedulable_pods_are_told_apart() -> None:
    found = replicas([pod("a"), pod("b", ready=False), stuck("c")])
    assert counts(found) == Counts(ready=1, starting=1, unschedulable=1)


def test_a_terminating_pod_serves_nobody_and_counts_nowhere() -> None:
    leaving = pod("a")
    leaving["metadata"]["deletionTimestamp"] = "2023-11-14T23:00:00Z"
    assert counts(replicas([leaving])) == Counts(0, 0, 0)


def test_a_pod_that_has_ended_is_no_replica() -> None:
    assert replicas([pod("a") | {"status": {"phase": "Failed"}}]) == ()


def test_without_starts_the_prior_stands() -> None:
    assert Starts(PRIOR).cold_start() == PRIOR


def test_observed_starts_move_the_cold_start_towards_them() -> None:
    starts = Starts(PRIOR)
    starts.watch(replicas([pod(f"p{i}") for i in range(20)]))
    learned = starts.cold_start()
    assert learned.observed == 20
    assert 90.0 < learned.median_s < 120.0
    assert learned.sigma < PRIOR.sigma


def test_a_start_is_counted_once_however_often_it_is_seen() -> None:
    starts = Starts(PRIOR)
    for _ in range(5):
        starts.watch(replicas([pod("a")]))
    assert starts.cold_start().observed == 1


def test_another_pod_template_forgets_the_starts_of_the_old_one() -> None:
    starts = Starts(PRIOR)
    starts.watch(replicas([pod("a"), pod("b")]))
    other = pod("c")
    other["metadata"]["labels"]["pod-template-hash"] = "def"
    starts.watch(replicas([other]))
    assert starts.cold_start().observed == 1


def test_a_restarted_container_says_nothing_about_cold_starts() -> None:
    again = pod("a")
    again["status"]["containerStatuses"] = [{"restartCount": 2}]
    starts = Starts(PRIOR)
    starts.watch(replicas([again]))
    assert starts.cold_start() == PRIOR


@pytest.mark.parametrize("body", [{}, {"metadata": {}, "status": {}}, {"status": {"conditions": None}}])
def test_a_pod_without_details_is_starting(body: dict[str, object]) -> None:
    assert counts(replicas([body])) == Counts(0, 1, 0)


def test_a_replica_that_woke_from_a_nap_did_not_start_anew() -> None:
    found = pod("llama-0", ready_at=START)
    created = found["metadata"]["creationTimestamp"]
    since = datetime.fromisoformat(created) + timedelta(seconds=40)
    found["spec"] = {"readinessGates": [{"conditionType": AWAKE}]}
    containers = {"type": "ContainersReady", "status": "True", "lastTransitionTime": since.isoformat()}
    found["status"]["conditions"].append(containers)
    assert replicas([found])[0].started_s == 40.0
    del found["spec"]
    assert replicas([found])[0].started_s == 90.0
