"""The table against a hand-written update, and its moves against what is published."""

import json

import pytest
from shown import shown

from foretide.policies.concurrency.qlearning import Learning, QLearning
from foretide.policies.concurrency.window import Bounds

GREEDY = Learning(exploring=0.0)


def test_it_begins_at_knatives_default_and_moves_by_twenty_or_not_at_all() -> None:
    agent = QLearning(seed=1)
    assert agent.act(None) == 100
    assert {agent.act(shown(limit=100)) for _ in range(50)} == {80, 100, 120}


def test_it_stays_within_the_published_range() -> None:
    agent = QLearning(seed=1)
    assert min(agent.act(shown(limit=10)) for _ in range(30)) == 10
    assert max(agent.act(shown(limit=310)) for _ in range(30)) == 310


def test_one_update_by_hand() -> None:
    agent = QLearning(seed=3, learning=GREEDY)
    agent.learn(shown(good=100))  # the reference: a reward of 1
    limit = agent.act(shown(limit=100))
    agent.learn(shown(limit=limit, good=150))
    values = agent.state()["values"]
    assert isinstance(values, dict)
    row = values["100/4/1"]
    # Q was 0 everywhere: 0 + 0.5 (1.5 + 0.9 x 0 - 0)
    assert sorted(row) == [0.0, 0.0, pytest.approx(0.75)]
    assert row[(limit - 100) // 20 + 1] == pytest.approx(0.75)


def test_a_greedy_table_repeats_what_was_rewarded() -> None:
    agent = QLearning(seed=3, learning=GREEDY)
    agent.learn(shown(good=100))
    first = agent.act(shown(limit=100))
    agent.learn(shown(limit=first, good=150))
    assert {agent.act(shown(limit=100)) for _ in range(20)} == {first}


def test_a_service_without_one_good_request_teaches_nothing_yet() -> None:
    agent = QLearning(seed=3)
    agent.act(shown(good=0))
    agent.learn(shown(good=0))
    assert agent.state()["reference"] is None


def test_the_same_seed_gives_the_same_limits_also_over_a_restart() -> None:
    one, other = QLearning(seed=5, bounds=Bounds(10, 310)), QLearning(seed=5)
    limits: list[int] = []
    for step in range(40):
        seen = shown(limit=limits[-1] if limits else 100, good=100 + step)
        limits.append(one.act(seen))
        assert other.act(seen) == limits[-1]
        one.learn(shown(limit=limits[-1], good=90 + step))
        other.learn(shown(limit=limits[-1], good=90 + step))
        restarted = QLearning(seed=5)
        restarted.restore(json.loads(json.dumps(other.state())))
        other = restarted
    assert len(set(limits)) > 2


def test_another_seed_explores_elsewhere() -> None:
    def walk(seed: int) -> list[int]:
        agent = QLearning(seed=seed)
        return [agent.act(shown(limit=100)) for _ in range(20)]

    assert walk(1) != walk(2)
