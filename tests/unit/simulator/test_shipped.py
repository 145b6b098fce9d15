from dataclasses import dataclass, field

import numpy as np
import pytest
from staged import OBJECTIVE, SERVICE, bench

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import ColdStart, DemandForecast, DemandHistory, Mode, Trust, frozen
from foretide.policies.turn import TargetSpec
from foretide.simulator.autoscaler import View
from foretide.simulator.fleet import PodCounters
from foretide.simulator.run import Run, run_policy
from foretide.simulator.scenario import Pace
from foretide.simulator.scrapes import Scrapes
from foretide.simulator.shipped import Limits, Shipped, backlog_of

PRIOR = ColdStart(median_s=80.0, sigma=0.3)


@dataclass
class Foreseen:
    """A forecaster that says the same rate for ever."""

    rate: float
    asked: list[DemandHistory] = field(default_factory=list)

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast:
        self.asked.append(history)
        values = np.full((paths, horizon, 3), self.rate)
        return DemandForecast(history.end, history.step, frozen(values), {"foreseen": 1.0})


def shipped(rate: float, *, pace: Pace | None = None, history: DemandHistory | None = None) -> Shipped:
    return Shipped(
        spec=TargetSpec("main", Mode.AUTO, OBJECTIVE, HPA_DEFAULT),
        limits=Limits(1, 8),
        pace=pace or Pace(step_s=60.0),
        service=SERVICE,
        prior=PRIOR,
        forecaster=Foreseen(rate),
        history=history,
    )


def view(now: float, *, desired: int = 2, waiting: int = 0, age: float = 5.0) -> View:
    pods = {"a": PodCounters(0, 3, waiting, 0, 0, 0.0)}
    return View(now, desired, desired, 0, now - age, pods, dict)


def test_what_is_foreseen_is_ordered_before_it_comes() -> None:
    run = run_policy(bench=bench(*[4.0] * 3), autoscaler=shipped(40.0))
    assert run.orders[:2] == ((0.0, 1), (5.0, 4))


def test_demand_is_seen_as_it_was() -> None:
    policy = shipped(4.0)
    run_policy(bench=bench(3.0, 6.0, 4.0, 4.0, 4.0), autoscaler=policy)
    seen = policy._forecaster.asked[-1]  # type: ignore[attr-defined]
    assert seen.trust is Trust.FRESH
    np.testing.assert_allclose(seen.values[:4, 0], [3.0, 6.0, 4.0, 4.0], rtol=0.03)
    np.testing.assert_allclose(seen.values[1:4, 1], [6000, 4000, 4000], rtol=0.03)


def test_a_plan_comes_once_a_minute_and_fast_passes_lie_between() -> None:
    run = Run(bench(*[4.0] * 4), shipped(4.0))
    run.advance(240.0)
    assert [asked.at for asked in run.asked if asked.choice.planned] == [5.0, 65.0, 125.0, 185.0]


def test_a_queue_orders_more_between_two_plans() -> None:
    policy = shipped(4.0)
    policy.decide(view(0.0))
    choice = policy.decide(view(5.0, waiting=2000))
    assert choice.replicas is not None
    assert choice.replicas > 2
    assert not choice.planned


def test_the_training_part_counts_as_watched() -> None:
    past = DemandHistory(0.0, 60.0, frozen(np.full((30, 3), 4.0)), Trust.FRESH)
    before, after = shipped(4.0), shipped(4.0, history=past)
    for policy in (before, after):
        policy.decide(view(1805.0, desired=4))
    assert before._memory.watching_since == pytest.approx(1800.0)  # type: ignore[union-attr]
    assert after._memory.watching_since == 0.0  # type: ignore[union-attr]


def test_nothing_is_lowered_in_a_first_life() -> None:
    run = run_policy(bench=bench(*[1.0] * 9, initial=4), autoscaler=shipped(1.0))
    assert run.orders == ((0.0, 4),)


def test_a_backlog_without_a_scrape_is_absent_and_an_old_one_is_stale() -> None:
    assert backlog_of(view(100.0, waiting=3), scrape_s=15.0).waiting == 3.0
    assert backlog_of(view(100.0, age=31.0), scrape_s=15.0).trust is Trust.STALE
    unseen = View(100.0, 2, 2, 0, None, {}, dict)
    assert backlog_of(unseen, scrape_s=15.0).trust is Trust.ABSENT


def test_scrapes_are_forgotten_after_a_while() -> None:
    scrapes = Scrapes(keep_s=60.0)
    for at in range(0, 200, 15):
        name = "old" if at < 100 else "new"
        scrapes.take(at=float(at), counters={name: PodCounters(at, 1, 2, 3, 4, 0.5)})
    samples = scrapes.samples()
    assert set(samples) == {"new"}
    assert samples["new"].at[0] == 135.0
    assert samples["new"].finished[-1] == 195.0
