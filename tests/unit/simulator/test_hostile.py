"""Agents that mean harm, as they say they do."""

import json

from shown import LINEAR, shown

from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.window import Bounds
from foretide.simulator.hostile import Chance, Flatterer

BOUNDS = Bounds(4, 320)


def test_chance_goes_everywhere_within_bounds_and_is_the_same_for_a_seed() -> None:
    one, again = Chance(BOUNDS, seed=1), Chance(BOUNDS, seed=1)
    limits = [one.act(None) for _ in range(300)]
    assert limits == [again.act(None) for _ in range(300)]
    assert 4 <= min(limits) < 20
    assert 300 < max(limits) <= 320


def test_chance_goes_on_after_a_restart() -> None:
    one, again = Chance(BOUNDS, seed=1), Chance(BOUNDS, seed=1)
    one.act(None)
    again.restore(json.loads(json.dumps(one.state())))
    assert again.act(None) == one.act(None)


def flatterer() -> Flatterer:
    return Flatterer(Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS), BOUNDS, patience=3)


def test_a_flatterer_is_modest_first_and_then_shows_itself() -> None:
    one = flatterer()
    assert [one.act(shown()) for _ in range(6)] == [152, 152, 320, 320, 320, 152]


def test_a_flatterer_goes_on_after_a_restart() -> None:
    one, again = flatterer(), flatterer()
    one.act(shown())
    again.restore(json.loads(json.dumps(one.state())))
    assert [again.act(None) for _ in range(3)] == [one.act(None) for _ in range(3)]
