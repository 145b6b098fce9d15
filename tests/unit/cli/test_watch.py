import numpy as np
import pytest

from foretide.cli.watch import Watched, frame_of, in_time
from foretide.policies.flow import LatencyTarget, Objective
from foretide.simulator.fleet import Observation
from foretide.simulator.replay import autoscaler
from foretide.simulator.run import Bench, Run
from foretide.simulator.score import attainment

OBJECTIVE = Objective(ttft=LatencyTarget(99.0, 1.0), tpot=LatencyTarget(99.0, 0.05))


def followed(bench: Bench, name: str, *, until: float) -> Watched:
    watched = Watched(Run(bench, autoscaler(name, bench)))
    for now in np.arange(15.0, until + 1, 15.0):
        watched.run.advance(float(now))
        watched.look()
    return watched


@pytest.mark.parametrize("name", ["foretide", "hpa"])
def test_the_live_share_agrees_with_the_final_one_on_finished_requests(bench: Bench, name: str) -> None:
    watched = followed(bench, name, until=bench.duration_s)
    outcome = watched.run.fleet.outcome()
    done = np.isfinite(outcome.e2e_s)
    assert watched.finished == done.sum()
    joint = attainment(outcome=outcome, objective=bench.scenario.objective)["joint"]
    assert watched.kept == round((joint or 0.0) * len(outcome.arrival_s))


def test_watching_changes_nothing(bench: Bench) -> None:
    seen = followed(bench, "hpa", until=600.0).run
    unseen = Run(bench, autoscaler("hpa", bench))
    unseen.advance(600.0)
    assert seen.orders == unseen.orders
    assert np.array_equal(seen.fleet.outcome().e2e_s, unseen.fleet.outcome().e2e_s, equal_nan=True)


def test_a_frame_has_demand_forecast_and_a_glance_per_policy(bench: Bench) -> None:
    watched = tuple(followed(bench, name, until=900.0) for name in ("foretide", "hpa"))
    frame = frame_of(watched, title="test")
    assert frame.now == 900.0
    assert np.isnan(frame.past[0])
    assert frame.demand == watched[0].run.rows[-1][7]
    assert len(frame.past) == len(frame.expected)
    assert np.isfinite(frame.expected[-1])
    assert (np.diff(frame.ahead, axis=1) >= 0).all()
    assert [one.policy for one in frame.glances] == ["foretide", "hpa"]
    assert frame.promised == 0.99


def test_before_anything_finished_there_is_no_share(bench: Bench) -> None:
    watched = Watched(Run(bench, autoscaler("hpa", bench)))
    watched.run.advance(0.0)
    watched.look()
    assert watched.glance().kept_so_far is None
    assert "has not moved from 3 replicas" in watched.glance().words


def test_the_last_change_is_told_with_its_time(bench: Bench) -> None:
    watched = followed(bench, "foretide", until=bench.duration_s)
    moves = [asked for asked in watched.run.asked if asked.after != asked.before]
    assert moves, "the day of this test never moves the fleet"
    assert f"{moves[-1].before} -> {moves[-1].after} replicas" in watched.words()
    assert watched.words().startswith("at 0:")


@pytest.mark.parametrize(
    ("ttft", "tpot", "kept"), [(0.9, 0.04, True), (1.1, 0.04, False), (0.9, 0.06, False), (0.9, float("nan"), True)]
)
def test_a_request_is_in_time_when_it_met_every_threshold(ttft: float, tpot: float, kept: bool) -> None:
    assert in_time(Observation(ttft, tpot, 5.0, 10, 10), OBJECTIVE) is kept
