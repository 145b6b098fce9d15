"""The speed of simulated replicas, found from counters as an operator finds it from a scrape's."""

from dataclasses import dataclass, field
from math import exp

import numpy as np
import pytest
from staged import bench

from foretide.policies.service import StepCost
from foretide.policies.speed import log_factor
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.conditions import Conditions
from foretide.simulator.faults import Slowdown
from foretide.simulator.run import run_policy
from foretide.simulator.steptime import step_cost
from foretide.simulator.token_gaps import TokenGaps


@dataclass
class Watching:
    """Never scales; notes the factor that the engines showed in each minute."""

    steps: StepCost
    gaps: TokenGaps = field(default_factory=TokenGaps)
    factors: list[float | None] = field(default_factory=list)
    name: str = "watching"
    interval_s: float = 60.0
    begins_with: None = None

    def decide(self, view: View) -> Choice:
        seen = log_factor(self.gaps.paces(view), self.steps)
        self.factors.append(None if seen is None else exp(seen))
        return Choice(None, "Watching", "never scales")


def watched(*rates: float, **changes: object) -> list[float | None]:
    stage = bench(*rates, initial=2, **changes)
    watching = Watching(step_cost(stage.scenario.deployment))
    run_policy(bench=stage, autoscaler=watching)
    return watching.factors


@pytest.mark.parametrize("factor", [1.0, 1.3, 0.8])
@pytest.mark.parametrize("rate", [4.0, 16.0])
def test_the_factor_of_slow_replicas_is_found_within_a_few_percent(factor: float, rate: float) -> None:
    slow = Slowdown(at=0.0, factor=factor)
    found = [seen for seen in watched(*[rate] * 10, conditions=Conditions(faults=(slow,))) if seen is not None]
    assert len(found) >= 6
    assert float(np.mean(found)) == pytest.approx(factor, rel=0.04)


def test_a_slow_down_shows_in_the_first_whole_minute_after_it() -> None:
    found = watched(*[10.0] * 12, conditions=Conditions(faults=(Slowdown(at=300.0, factor=1.3),)))
    before, after = found[4], found[7]
    assert before is not None
    assert after is not None
    assert (before, after) == (pytest.approx(1.0, rel=0.04), pytest.approx(1.3, rel=0.05))


def test_no_requests_and_the_first_look_tell_nothing() -> None:
    assert watched(0.02, 0.0, 0.0, 0.0, 0.02)[1:4] == [None] * 3
    assert watched(4.0, 4.0)[0] is None
