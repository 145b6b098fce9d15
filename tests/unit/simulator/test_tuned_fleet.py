"""Replicas and limit together: what the tuner is shown, who hears of a limit, and that a limit holds."""

from dataclasses import dataclass, field, replace
from math import isnan

import pytest
from staged import bench

from foretide.policies.concurrency.in_time import FIRST
from foretide.policies.concurrency.limit_rule import Fixed, Rule
from foretide.policies.concurrency.shield import Shield
from foretide.policies.concurrency.window import Bounds, Window
from foretide.policies.flow import LatencyTarget, Objective
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.member import Observation
from foretide.simulator.rivals import FixedCount
from foretide.simulator.run import run_policy
from foretide.simulator.tuned import step_model
from foretide.simulator.tuned_fleet import Freely, Guarded, InTime, Setting, kept, run_tuned

BOUNDS = Bounds(1, 256)


@dataclass
class Scripted:
    """Sets what it was told to, and keeps what it is shown."""

    settings: list[Setting]
    shown: list[tuple[Window | None, Window | None]] = field(default_factory=list)

    def turn(self, seen: Window | None, canary: Window | None, *, now: float) -> Setting:
        self.shown.append((seen, canary))
        return self.settings[min(len(self.shown), len(self.settings)) - 1]


def rule() -> Rule:
    deployment = bench(4.0).scenario.deployment
    return Rule(step_model(deployment), tpot_s=0.025, bounds=BOUNDS)


def test_a_limit_that_is_never_reached_changes_nothing() -> None:
    staged = bench(4.0, 4.0, 4.0)
    policy = FixedCount("static", 2)
    plain = run_policy(bench=staged, autoscaler=policy)
    tuned = run_tuned(bench=staged, autoscaler=policy, tuner=Freely(Fixed(256), BOUNDS), told=lambda _: None)
    assert tuned.outcome.e2e_s.tolist() == plain.outcome.e2e_s.tolist()
    assert tuned.gpu_hours == plain.gpu_hours


def test_a_small_limit_holds_in_every_replica_also_in_one_that_comes_later() -> None:
    staged = bench(8.0, 8.0, 8.0, 8.0)
    seen: list[int] = []
    tuned = run_tuned(
        bench=staged, autoscaler=FixedCount("static", 2), tuner=Freely(Fixed(2), BOUNDS), told=seen.append
    )
    assert tuned.series.running.max() <= 4
    assert set(seen) == {2}


def test_the_autoscaler_hears_of_each_limit_and_the_tuner_sees_what_ended_at_it() -> None:
    staged, heard = bench(4.0, 4.0, 4.0, 4.0), list[int]()
    tuner = Scripted([Setting(64), Setting(32), Setting(16)])
    run_tuned(bench=staged, autoscaler=FixedCount("static", 2), tuner=tuner, told=heard.append)
    assert heard[:3] == [64, 32, 16]
    assert tuner.shown[0] == (None, None)
    windows = [seen for seen, _ in tuner.shown if seen is not None]
    assert [seen.limit for seen in windows[:2]] == [64, 32]
    assert all(seen.ended > 0 and seen.good <= seen.ended and seen.seconds == 120.0 for seen in windows)
    assert all(canary is None for _, canary in tuner.shown)


@dataclass
class Reader:
    """An autoscaler that reads engines' histograms, as Foretide does."""

    name: str = "reader"
    interval_s: float = 15.0
    begins_with: int = 2

    def decide(self, view: View) -> Choice:
        view.histograms()
        return Choice(None, "Reading", "keeps the count")


def test_an_autoscaler_that_reads_the_engines_takes_nothing_from_the_tuner() -> None:
    shown = []
    for policy in (FixedCount("static", 2), Reader()):
        tuner = Scripted([Setting(64)])
        run_tuned(bench=bench(4.0, 4.0, 4.0, 4.0), autoscaler=policy, tuner=tuner, told=lambda _: None)
        shown.append(tuner.shown)
    assert shown[0] == shown[1]
    assert all(seen is not None and seen.ended > 0 for seen, _ in shown[1][1:])


def test_a_canary_is_shown_apart_and_only_where_two_others_are_left() -> None:
    tuner = Scripted([Setting(64, canary=8)])
    run_tuned(bench=bench(8.0, 8.0, 8.0), autoscaler=FixedCount("static", 3), tuner=tuner, told=lambda _: None)
    seen, canary = tuner.shown[1]
    assert seen is not None
    assert canary is not None
    assert (seen.limit, seen.seconds, canary.limit, canary.seconds) == (64, 120.0, 8, 60.0)
    alone = Scripted([Setting(64, canary=8)])
    run_tuned(bench=bench(8.0, 8.0), autoscaler=FixedCount("static", 2), tuner=alone, told=lambda _: None)
    assert alone.shown[1][1] is None


def test_in_time_begins_where_it_is_told_and_goes_to_the_rule_after_five_windows() -> None:
    staged = bench(*[6.0] * 10)
    known, heard = rule(), list[int]()
    tuner = InTime(known, BOUNDS, begins_at=256)
    run_tuned(bench=staged, autoscaler=FixedCount("static", 2), tuner=tuner, told=heard.append)
    changed = next(place for place, limit in enumerate(heard) if limit != 256)
    assert changed >= FIRST
    assert heard[changed] == BOUNDS.clip(known.unbounded)


def window(limit: int) -> Window:
    return Window(limit, 60.0, 1, 120, 0, 120, 120, 1000.0, 200.0, 8.0, 0.2)


def test_the_shield_gives_the_canary_what_its_agent_proposes_as_near_as_a_step_goes() -> None:
    tuner = Guarded(Shield(Fixed(4), rule(), bounds=BOUNDS))
    blind = tuner.turn(None, None, now=0.0)
    assert blind == Setting(100)
    known = tuner.turn(window(100), None, now=60.0)
    assert known.canary is not None
    assert known.canary == pytest.approx(known.fleet / 1.1**3, abs=1.0)


@pytest.mark.parametrize(("tpot_s", "good"), [(0.04, 1), (0.06, 0), (float("nan"), 1)])
def test_an_answer_of_one_token_has_no_time_per_token_to_miss(tpot_s: float, good: int) -> None:
    objective = replace(Objective(ttft=LatencyTarget(99, 1.0)), tpot=LatencyTarget(99, 0.05))
    one = Observation(ttft_s=0.5, tpot_s=tpot_s, e2e_s=2.0, prompt_tokens=10, output_tokens=1 if isnan(tpot_s) else 40)
    assert kept([one], objective) == good
