"""Crashes and slowdowns as a fleet's users feel them."""

import numpy as np
import pytest
from hurt import KINDS, fleet, requests, steady

from foretide.simulator.conditions import QUIET, Conditions
from foretide.simulator.faults import Crash, Failures, Slowdown
from foretide.simulator.fleet import FleetCounts
from foretide.simulator.mishaps import Harm
from foretide.simulator.profiles import Deployment

ONE_CRASH = (Crash(at=1.0),)


def test_a_crashed_replica_is_replaced_and_its_requests_are_lost() -> None:
    made = fleet(requests((0.0, 100, 500), (0.1, 100, 500), (40.0, 100, 5)), Conditions(faults=ONE_CRASH))
    made.advance(1.0)
    assert made.counts() == FleetCounts(desired=1, ready=0, starting=1, draining=0)
    assert made.counters() == {}
    made.advance(100.0)
    assert made.mishaps.harm == Harm(crashes=1, lost=2, resent=0)
    assert np.isfinite(made.outcome().e2e_s).tolist() == [False, False, True]
    assert made.starts == [(1.0, 31.0)]
    assert made.gpu_seconds == pytest.approx(100.0)


def test_a_client_sends_again_after_its_timeout_and_its_ttft_goes_on() -> None:
    conditions = Conditions(faults=ONE_CRASH, failures=Failures(retry_s=2.0))
    made = fleet(requests((0.0, 100, 500)), conditions, replicas=2)
    alone = fleet(requests((0.0, 100, 500)), QUIET)
    made.advance(60.0)
    alone.advance(60.0)
    assert made.mishaps.harm == Harm(crashes=1, lost=0, resent=1)
    assert made.outcome().ttft_s[0] == pytest.approx(alone.outcome().ttft_s[0] + 3.0)
    assert made.outcome().e2e_s[0] == pytest.approx(alone.outcome().e2e_s[0] + 3.0)


def test_a_request_that_is_sent_again_waits_at_the_door_where_nobody_is_left() -> None:
    conditions = Conditions(faults=ONE_CRASH, failures=Failures(retry_s=2.0))
    made = fleet(requests((0.0, 100, 500)), conditions)
    made.advance(4.0)
    assert made.at_the_door == 1
    made.advance(60.0)
    found = made.outcome()
    assert found.ttft_s[0] > 31.0
    assert found.cold_started.tolist() == [True]


def test_a_scripted_crash_takes_the_oldest() -> None:
    made = fleet(requests(), Conditions(faults=(Crash(at=5.0, replicas=2),)), replicas=4)
    made.advance(6.0)
    assert list(made.counters()) == ["replica-2", "replica-3"]
    assert made.counts() == FleetCounts(desired=4, ready=2, starting=2, draining=0)


def test_a_draining_replica_that_dies_is_not_replaced() -> None:
    made = fleet(requests((0.0, 100, 5000)), Conditions(failures=Failures(per_replica_hour=1000.0)), seed=1)
    made.advance(0.001)
    made.scale(0)
    assert made.counts() == FleetCounts(desired=0, ready=0, starting=0, draining=1)
    made.advance(60.0)
    assert made.counts() == FleetCounts(desired=0, ready=0, starting=0, draining=0)
    assert made.mishaps.harm == Harm(crashes=1, lost=1)


def test_replicas_die_as_often_as_their_hazard_says() -> None:
    made = fleet(requests(), Conditions(failures=Failures(per_replica_hour=6.0)), replicas=20)
    made.advance(5 * 3600.0)
    ready_hours = made.gpu_seconds / 3600 - made.mishaps.harm.crashes * 30 / 3600
    assert made.mishaps.harm.crashes == pytest.approx(6.0 * ready_hours, rel=0.15)
    assert made.counts().desired == 20


@pytest.mark.parametrize("output", [1, 2, 400])
def test_a_slowdown_stretches_what_comes_after_it_by_its_factor(output: int) -> None:
    arrivals = requests((10.0, 300, output))
    slow, usual = fleet(arrivals, Conditions(faults=(Slowdown(at=5.0, factor=1.3),))), fleet(arrivals, QUIET)
    for made in (slow, usual):
        made.advance(100.0)
    assert slow.outcome().e2e_s[0] == pytest.approx(1.3 * usual.outcome().e2e_s[0])


def test_a_slowdown_in_the_middle_of_an_answer_begins_with_the_next_step_and_ends_again() -> None:
    """Ten slow seconds hold 1 / 1.3 of the steps that ten usual ones do, to within two steps."""
    arrivals = requests((0.0, 100, 2500))
    slow = fleet(arrivals, Conditions(faults=(Slowdown(at=5.0, duration_s=10.0, factor=1.3),)))
    usual = fleet(arrivals, QUIET)
    for made in (slow, usual):
        made.advance(100.0)
    lost = 10.0 * (1.0 - 1.0 / 1.3)
    assert slow.outcome().e2e_s[0] - usual.outcome().e2e_s[0] == pytest.approx(lost, abs=0.03)
    assert slow.outcome().ttft_s[0] == usual.outcome().ttft_s[0]


def test_an_arrival_just_after_a_slowdown_undoes_none_of_the_steps_before_it() -> None:
    """It cuts the step under way, which began at the old speed."""
    long, short = (0.0, 100, 1000), (5.003, 10, 1)
    faults = (Slowdown(at=5.0, factor=3.0),)
    disturbed, alone = (fleet(requests(*rows), Conditions(faults=faults)) for rows in ((long, short), (long,)))
    for made in (disturbed, alone):
        made.advance(100.0)
    assert disturbed.outcome().e2e_s[0] == pytest.approx(alone.outcome().e2e_s[0], abs=0.1)


def test_a_slowdown_by_one_changes_nothing_but_rounding() -> None:
    arrivals = steady(300)
    faults = tuple(Slowdown(at=float(at), duration_s=0.5, factor=1.0) for at in range(1, 60))
    same, usual = fleet(arrivals, Conditions(faults=faults), replicas=2), fleet(arrivals, QUIET, replicas=2)
    for made in (same, usual):
        made.advance(300.0)
    np.testing.assert_allclose(same.outcome().e2e_s, usual.outcome().e2e_s, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_slowdown_stretches_every_kind_of_replica(kind: Deployment) -> None:
    """Requests that come one at a time take the factor longer from first to last."""
    arrivals = requests(*((20.0 * n, 300, 50) for n in range(4)))
    slow = fleet(arrivals, Conditions(faults=(Slowdown(at=30.0, duration_s=20.0, factor=1.4),)), deployment=kind)
    usual = fleet(arrivals, QUIET, deployment=kind)
    for made in (slow, usual):
        made.advance(100.0)
    ratio = slow.outcome().e2e_s / usual.outcome().e2e_s
    assert ratio == pytest.approx([1.0, 1.0, 1.4, 1.0])


def test_a_slow_replica_does_not_say_so() -> None:
    """Its counters move more slowly; nothing else tells of it."""
    arrivals = requests(*((0.1 * n, 200, 40) for n in range(200)))
    slow, usual = fleet(arrivals, Conditions(faults=(Slowdown(at=0.0, factor=1.3),))), fleet(arrivals, QUIET)
    for made in (slow, usual):
        made.advance(10.0)
    assert slow.counts() == usual.counts()
    assert slow.counters().keys() == usual.counters().keys()
    assert slow.counters()["replica-0"].finished < usual.counters()["replica-0"].finished


def test_a_replica_that_starts_during_a_slowdown_is_slow_until_it_ends() -> None:
    conditions = Conditions(faults=(Slowdown(at=0.0, duration_s=60.0, factor=1.5),))
    made = fleet(requests((40.0, 300, 50), (80.0, 300, 50)), conditions, replicas=0)
    made.advance(1.0)
    made.scale(1)
    made.advance(100.0)
    first, second = made.outcome().e2e_s
    assert first == pytest.approx(1.5 * second)
