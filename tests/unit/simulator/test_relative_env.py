"""Training episodes: drawn around the development set-ups, the same for a seed, with states and rewards in bounds."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from foretide.policies.concurrency.network_agent import FEATURES, NOTCHES
from foretide.policies.concurrency.notches import at_notch
from foretide.simulator.relative_env import EPISODE, RelativeEnv, drawn
from foretide.simulator.tuned import Setup
from foretide.simulator.tuning_setups import DRIFTING, PAPER, setups

AT_BEST = NOTCHES.index(0)


def short(rng: Generator) -> Setup:
    return replace(drawn(rng), windows=12)


def test_the_same_seed_gives_the_same_episodes() -> None:
    one, other = RelativeEnv(short, seed=3), RelativeEnv(short, seed=3)
    for _ in range(2):
        assert one.reset().tolist() == other.reset().tolist()
        assert [one.step(AT_BEST)[1] for _ in range(3)] == [other.step(AT_BEST)[1] for _ in range(3)]
    first = RelativeEnv(short, seed=3).reset()
    assert one.reset(seed=3).tolist() == first.tolist()
    assert RelativeEnv(short, seed=4).reset().tolist() != first.tolist()


def test_an_episode_has_an_end_and_sound_numbers() -> None:
    world, rng = RelativeEnv(short, seed=1), np.random.default_rng(0)
    states, over = [world.reset()], False
    while not over:
        state, reward, over = world.step(int(rng.integers(len(NOTCHES))))
        states.append(state)
        assert 0.0 <= reward < 5.0
    assert world.replica.window == 12
    shown = np.array(states)
    assert shown.shape[1] == len(FEATURES)
    assert np.isfinite(shown).all()
    assert np.abs(shown).max() <= 3.0


def test_an_action_is_a_notch_of_n_star() -> None:
    world = RelativeEnv(short, seed=2)
    world.reset()
    wanted = world.setup.bounds.clip(at_notch(world.rule.unbounded, -4))
    seen: list[int] = []
    run = world.replica.run
    world.replica.run = lambda limit: (seen.append(limit), run(limit))[1]  # type: ignore[method-assign,func-returns-value]
    world.step(NOTCHES.index(-4))
    assert seen == [wanted]


def test_what_is_reported_on_is_never_drawn() -> None:
    rng = np.random.default_rng(5)
    reported = {setups()[name].deployment.profile for name in (*DRIFTING, PAPER)}
    found = [drawn(rng) for _ in range(50)]
    assert not reported & {one.deployment.profile for one in found}
    assert {one.windows for one in found} == {EPISODE}
    assert {one.utilization is None for one in found} == {True, False}
