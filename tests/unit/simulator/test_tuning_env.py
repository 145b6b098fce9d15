"""Gymnasium's interface, with and without Gymnasium."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from foretide.policies.concurrency.window import Bounds
from foretide.simulator.tuned import TunedReplica
from foretide.simulator.tuning_env import ConcurrencyEnv, EnvBatch, grid
from foretide.simulator.tuning_setups import DEVELOPMENT, DRIFTING, PAPER, setups

SHORT = replace(setups()["dev-light"], windows=4)


def test_an_episode_has_all_windows_and_then_ends() -> None:
    env = ConcurrencyEnv(setup=SHORT)
    state, _ = env.reset(seed=1)
    assert env.observation_space.contains(state)
    ends = [env.step(3)[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]


def test_an_action_is_a_limit_and_the_reward_its_goodput() -> None:
    env = ConcurrencyEnv(setup=SHORT, limits=[5, 50])
    env.reset(seed=1)
    state, reward, _, _, told = env.step(0)
    assert state[0] == 5
    assert reward == told["window"].good / 30.0
    assert env.step(1)[0][0] == 50
    assert [env.action_space.contains(action) for action in (-1, 0, 1, 2)] == [False, True, True, False]


def test_it_is_the_replica_that_the_benchmarks_run() -> None:
    env, replica = ConcurrencyEnv(setup=SHORT, limits=[20, 100]), TunedReplica(SHORT, seed=4)
    assert env.reset(seed=4)[1]["window"] == replica.run(100)
    assert env.step(0)[4]["window"] == replica.run(20)


def test_lengths_that_nobody_has_shown_are_marked_unknown() -> None:
    silent = replace(SHORT, drift=replace(SHORT.drift, day_rps=0.0, night_rps=0.0))
    state, _ = ConcurrencyEnv(setup=silent).reset(seed=1)
    assert state[-1] == 0.0
    known, _ = ConcurrencyEnv(setup=SHORT).reset(seed=1)
    assert known[-1] == 1.0
    assert known[-3] > 100


def test_without_a_seed_the_next_episode_is_another_one() -> None:
    env = ConcurrencyEnv(setup=SHORT)
    first, second = env.reset(seed=1)[0], env.reset()[0]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(env.reset(seed=2)[0], second)


def test_a_batch_is_its_episodes_side_by_side() -> None:
    batch, alone = EnvBatch(seeds=(3, 4), setup=SHORT), ConcurrencyEnv(setup=SHORT)
    states = batch.reset()
    alone.reset(seed=4)
    states, rewards, over = batch.step([1, 7])
    state, reward, _, ended, _ = alone.step(7)
    np.testing.assert_array_equal(states[1], state)
    assert (rewards[1], over) == (reward, ended)
    assert states.shape == (2, 10)


def test_a_step_before_reset_is_refused() -> None:
    with pytest.raises(RuntimeError, match="call reset first"):
        ConcurrencyEnv(setup=SHORT).step(0)


def test_the_grid_rises_by_a_tenth_and_reaches_both_bounds() -> None:
    limits = grid(Bounds(4, 320))
    assert (limits[0], limits[-1]) == (4, 320)
    assert all(low < high <= max(low + 1, 1.15 * low) for low, high in pairwise(limits))


def test_gymnasium_makes_it_where_it_is_installed() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    registration = pytest.importorskip("gymnasium.envs.registration")
    from foretide.simulator.gymnasium_plugin import register

    with registration.namespace("foretide"):
        register()
    env = gymnasium.make("foretide/Concurrency-v0", scenario="dev-light")
    state, _ = env.reset(seed=3)
    assert env.observation_space.contains(state)
    np.testing.assert_array_equal(state, ConcurrencyEnv(scenario="dev-light").reset(seed=3)[0])


def test_development_and_reported_setups_have_nothing_in_common() -> None:
    known = setups()
    developed, reported = ([known[name] for name in names] for names in (DEVELOPMENT, (*DRIFTING, PAPER)))
    assert len(known) == len(developed) + len(reported)
    assert not {each.deployment for each in developed} & {each.deployment for each in reported}
