"""Rivals keep what their rules say; the oracle pays least; what learns does not know the future."""

import numpy as np
import pytest

from foretide.policies.warm.tiers import zero_or_ready
from foretide.simulator.serverless.calls import Calls
from foretide.simulator.serverless.fleet import Begun, Ended, Keeper, Served, run
from foretide.simulator.serverless.greedy_dual import run_greedy_dual
from foretide.simulator.serverless.keepers import FixedKeepAlive, HybridHistogram
from foretide.simulator.serverless.learned import Hindsight, Learned
from foretide.simulator.serverless.oracle import Oracle
from foretide.simulator.serverless.zipf import ZipfFleet, generate

WAKE_S = 80.0
TIERS = zero_or_ready(WAKE_S)
DAY = ZipfFleet(models=10, days=2, sessions_per_day=150)


def served(calls: Calls, keeper: Keeper) -> Served:
    return run(calls, keeper=keeper, tiers=TIERS, scored_from=1440)


def timers(period: int, *, models: int = 4) -> Calls:
    counts = np.zeros((models, 2880), dtype=np.int64)
    for model in range(models):
        counts[model, model::period] = 1
    return Calls(tuple(f"timer-{n}" for n in range(models)), counts)


def ended(gap: int, times: int) -> Ended:
    return Ended(np.zeros(times, dtype=np.int64), np.full(times, gap), np.ones(times))


def test_a_fixed_keep_alive_is_ready_for_its_minutes_and_no_longer() -> None:
    held = FixedKeepAlive(3).held(Begun(0, np.array([0, 1])))
    assert held.tiers.tolist() == [[1, 1, 1, 0]] * 2


def test_the_hybrid_histogram_stops_and_comes_back_around_a_regular_gap() -> None:
    keeper = HybridHistogram(1)
    keeper.ended(ended(31, 100))  # idle for 30 minutes each time
    ready = np.flatnonzero(keeper.held(Begun(0, np.zeros(1, dtype=np.int64))).tiers[0]) + 1
    assert (ready.min(), ready.max()) == (28, 35)  # 30 less 10 %, to 31 more 10 %, rounded outwards
    assert 31 in ready


def test_the_hybrid_histogram_keeps_all_of_its_range_while_it_knows_nothing() -> None:
    held = HybridHistogram(1, range_min=240).held(Begun(0, np.zeros(1, dtype=np.int64))).tiers[0]
    assert held[:240].all()
    assert not held[240:].any()


def test_the_hybrid_histogram_forecasts_gaps_beyond_its_range() -> None:
    keeper = HybridHistogram(1, range_min=60)
    keeper.ended(ended(400, 10))
    ready = np.flatnonzero(keeper.held(Begun(0, np.zeros(1, dtype=np.int64))).tiers[0]) + 1
    assert (ready.min(), ready.max()) == (341, 460)


def test_greedy_dual_lets_the_least_asked_for_go_first() -> None:
    counts = np.zeros((3, 12), dtype=np.int64)
    counts[0, :5] = 1  # often
    counts[1, 5] = 1  # once
    counts[2, 6] = 1  # the second slot is the once-asked one's
    counts[0, 8] = counts[1, 10] = 1
    found = run_greedy_dual(Calls(("a", "b", "c"), counts), slots=2, wake_s=WAKE_S, scored_from=7)
    assert (found.cold_requests, found.cold_starts) == (1, 1)  # b was gone, a was not
    assert found.held_s == 60.0 * (2 * 5 - 2)


def test_the_oracle_lets_nobody_wait_and_pays_least() -> None:
    calls = generate(DAY, seed=1)
    known = served(calls, Oracle(calls, wake_s=WAKE_S))
    assert known.cold_requests == 0
    for keeper in (FixedKeepAlive(480), Hindsight(calls, tiers=TIERS, worth=1e4)):
        assert served(calls, keeper).gpu_s > known.gpu_s


def test_timers_are_met_and_the_time_between_is_not_paid_for() -> None:
    calls = timers(90)
    found = served(calls, Learned(4, tiers=TIERS, worth=20.0))
    rule = served(calls, FixedKeepAlive(20))
    assert found.cold_requests <= 0.1 * rule.cold_requests
    assert found.held_s < 0.75 * rule.held_s


@pytest.mark.parametrize("worth", [1.0, 10.0])
def test_hindsight_is_a_bound_of_what_is_learned(worth: float) -> None:
    calls = generate(DAY, seed=2)

    def loss(keeper: Keeper) -> float:
        found = served(calls, keeper)
        return found.gpu_s + worth * WAKE_S * found.cold_requests

    known = loss(Hindsight(calls, tiers=TIERS, worth=worth))
    assert known <= 1.02 * loss(Learned(len(calls.names), tiers=TIERS, worth=worth))


def test_what_learns_decides_the_same_whatever_comes_later() -> None:
    calls = generate(DAY, seed=3)
    cut = 2000
    other = calls.counts.copy()
    other[:, cut:] = np.roll(other[:, cut:], 7, axis=0)
    plans = []
    for counts in (calls.counts, other):
        keeper = _Recorded(Learned(len(counts), tiers=TIERS, worth=5.0), until=cut)
        served(Calls(calls.names, counts), keeper)
        plans.append(np.concatenate(keeper.plans))
    assert (plans[0] == plans[1]).all()


class _Recorded:
    def __init__(self, keeper: Learned, *, until: int) -> None:
        self.keeper, self.until, self.plans = keeper, until, []

    def ended(self, past: Ended) -> None:
        self.keeper.ended(past)

    def held(self, now: Begun):
        held = self.keeper.held(now)
        if now.minute < self.until - 3:  # waits look as far ahead as a start takes
            self.plans.append(held.tiers.copy())
        return held
