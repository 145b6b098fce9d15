"""Whatever grid and horizon is asked for, the heads tell one story: the fine one has the coarse one's sums."""

from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.network.heads import continued, needed_heads, on_grid, refined, rescaled, shapes_of
from foretide.forecaster.network.schema import NODE, REPLICA
from foretide.forecaster.past import Past, past_of
from foretide.policies.flow import DemandHistory, Floats

HEADS = (NODE, REPLICA)


@pytest.fixture
def past(history: Callable[..., DemandHistory], days: Callable[..., Floats]) -> Callable[[float], Past]:
    return lambda step: past_of(history(days(2000), step=step))


def drawn(count: int = 64, *, seed: int = 1) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    return {head.head: rng.gamma(4.0, 2.0, (count, head.horizon, 3)) for head in HEADS}


@pytest.mark.parametrize(
    ("step", "horizon", "names"),
    [
        (60.0, 30, ["replica"]),
        (30.0, 60, ["replica"]),
        (15.0, 1, ["replica"]),
        (60.0, 31, ["replica", "node"]),
        (30.0, 720, ["replica", "node"]),
        (600.0, 36, ["node"]),
        (300.0, 20, ["node"]),
        (60.0, 361, []),
        (45.0, 4, []),
        (3600.0, 1, []),
    ],
)
def test_the_finest_heads_that_reach_are_asked(step: float, horizon: int, names: list[str]) -> None:
    assert [head.head for head in needed_heads(HEADS, step=step, horizon=horizon)] == names


def test_without_a_coarse_head_nobody_answers_a_long_horizon() -> None:
    assert needed_heads((REPLICA,), step=60.0, horizon=31) == ()
    assert needed_heads((), step=60.0, horizon=1) == ()


def test_on_its_own_grid_a_head_is_passed_through(past: Callable[[float], Past]) -> None:
    given = drawn()
    made = on_grid(given, (REPLICA,), past=past(60.0), horizon=12, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(made, given["replica"][:, :12])


@pytest.mark.parametrize("step", [30.0, 15.0, 20.0])
def test_a_finer_grid_keeps_the_mean_of_every_step(past: Callable[[float], Past], step: float) -> None:
    given, factor = drawn(), round(60.0 / step)
    made = on_grid(given, (REPLICA,), past=past(step), horizon=30 * factor, rng=np.random.default_rng(0))
    np.testing.assert_allclose(made.reshape(64, 30, factor, 3).mean(axis=2), given["replica"])
    assert made.std(axis=1).mean() > given["replica"].std(axis=1).mean()


def test_a_horizon_that_ends_within_a_step_is_cut_there(past: Callable[[float], Past]) -> None:
    made = on_grid(drawn(), (REPLICA,), past=past(15.0), horizon=7, rng=np.random.default_rng(0))
    assert made.shape == (64, 7, 3)


def test_the_fine_path_has_the_coarse_paths_sums_and_its_own_shape(past: Callable[[float], Past]) -> None:
    given = drawn()
    made = on_grid(given, (REPLICA, NODE), past=past(60.0), horizon=360, rng=np.random.default_rng(0))
    assert made.shape == (64, 360, 3)
    by_ten = made.reshape(64, 36, 10, 3).mean(axis=2)
    order = np.argsort(by_ten[:, -1, 0]), np.argsort(given["node"][:, -1, 0])
    np.testing.assert_allclose(by_ten[order[0]], given["node"][order[1]])
    fine = given["replica"].reshape(64, 3, 10, 3)
    ratio = made[:, :30].reshape(64, 3, 10, 3) / fine
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :, :1], ratio.shape))


def test_high_fine_paths_go_on_as_high_coarse_ones(past: Callable[[float], Past]) -> None:
    given = drawn()
    level = np.random.default_rng(2).permutation(64)[:, None, None] + 1.0
    given["node"] = np.broadcast_to(level, (64, 36, 3)).copy()
    made = continued(given["replica"], given["node"], 10, past=past(60.0), step=60.0, rng=np.random.default_rng(0))
    totals = given["replica"][:, :, 0].sum(axis=1)
    np.testing.assert_array_equal(np.argsort(made[:, 100:110, 0].mean(axis=1)), np.argsort(totals))


def test_an_idle_fine_stretch_is_filled_evenly() -> None:
    made = rescaled(np.zeros((2, 10, 3)), np.full((2, 1, 3), 7.0), 10)
    np.testing.assert_array_equal(made, np.full((2, 10, 3), 7.0))


def test_numbers_too_small_to_divide_do_no_harm() -> None:
    made = rescaled(np.full((1, 10, 3), 5e-324), np.full((1, 1, 3), 1e9), 10)
    assert np.isfinite(made).all()


def test_shapes_are_those_of_whole_busy_stretches(history: Callable[..., DemandHistory]) -> None:
    nan = float("nan")
    told = past_of(history([1.0, 3.0, nan, nan, nan, nan, nan, nan, 0.0, 0.0, 4.0, 4.0]))
    np.testing.assert_allclose(sorted(shapes_of(told, 2)[:, 0, 0].tolist()), [0.5, 1.0, 1.0])
    idle = past_of(history([0.0] * 8))
    np.testing.assert_array_equal(shapes_of(idle, 4), np.ones((1, 4, 3)))


def test_refining_by_one_changes_nothing() -> None:
    paths = np.random.default_rng(0).random((3, 4, 3))
    assert refined(paths, 1, np.ones((1, 1, 3)), np.random.default_rng(0)) is paths
