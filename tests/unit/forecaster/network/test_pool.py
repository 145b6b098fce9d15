"""Batched or alone, a workload is answered the same; what fails is silent for those it concerns, and says why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from graphs import artifact, persistence

from foretide.forecaster.network.card import Array, Refused
from foretide.forecaster.network.features import Arrays
from foretide.forecaster.network.pool import Ask, Pool, speaks
from foretide.forecaster.network.schema import NODE, REPLICA, Schema
from foretide.forecaster.network.session import CHUNK, noise_of, opened
from foretide.forecaster.past import Past, past_of
from foretide.policies.flow import DemandHistory, Floats

Make = Callable[..., DemandHistory]


@pytest.fixture
def pool(tmp_path: Path) -> Callable[[], Pool]:
    for schema in (REPLICA, NODE):
        artifact(tmp_path, schema)
    return lambda: Pool([opened(tmp_path, "replica"), opened(tmp_path, "node")])


@pytest.fixture
def pasts(history: Make, days: Callable[..., Floats]) -> list[Past]:
    return [past_of(history(days(600 + 17 * i, seed=i, mean=3.0 ** (i % 5)), step=30.0)) for i in range(2 * CHUNK + 3)]


def asks(pasts: Sequence[Past], *, horizon: int = 40, count: int = 32) -> list[Ask]:
    return [Ask(f"shop/{i}", past, horizon, count, seed=1000 + i) for i, past in enumerate(pasts)]


def test_a_workload_is_answered_alike_alone_and_among_others(pool: Callable[[], Pool], pasts: list[Past]) -> None:
    for horizon in (40, 200):
        together, alone = pool(), pool()
        given = asks(pasts, horizon=horizon)
        together.prefetch(given)
        for ask in given:
            one, other = together.answer(ask), alone.answer(ask)
            assert one is not None
            assert other is not None
            np.testing.assert_array_equal(one, other)
            assert one.shape == (32, horizon, 3)
            assert np.isfinite(one).all()
            assert one.min() >= 0
        assert together.read_ahead == len(given) * (1 if horizon == 40 else 2)
        assert alone.read_ahead == 0


def test_another_question_than_the_prefetched_one_is_answered_anew(pool: Callable[[], Pool], pasts: list[Past]) -> None:
    found, ask = pool(), asks(pasts)[0]
    found.prefetch([ask])
    other = Ask(ask.key, ask.past, ask.horizon, ask.count, ask.seed + 1)
    fresh = found.answer(other)
    assert fresh is not None
    assert found.read_ahead == 0
    np.testing.assert_array_equal(fresh, pool().answer(other))


def test_what_nobody_reads_can_be_forgotten(pool: Callable[[], Pool], pasts: list[Past]) -> None:
    found, given = pool(), asks(pasts)
    found.prefetch(given)
    found.forget([ask.key for ask in given[1:]])
    for ask in given[:2]:
        found.answer(ask)
    assert found.read_ahead == 1


def test_counts_may_differ_within_one_prefetch(pool: Callable[[], Pool], pasts: list[Past]) -> None:
    mixed = [Ask(f"shop/{i}", past, 20, 8 + i % 3, seed=i) for i, past in enumerate(pasts)]
    found = pool()
    found.prefetch(mixed)
    for ask in mixed:
        made = found.answer(ask)
        assert made is not None
        assert len(made) == ask.count
        np.testing.assert_array_equal(made, pool().answer(ask))


def test_too_long_a_horizon_or_too_short_a_past_is_not_answered(pool: Callable[[], Pool], history: Make) -> None:
    long, short = past_of(history(np.arange(100.0), step=30.0)), past_of(history(np.arange(9.0), step=30.0))
    assert pool().answer(Ask("a", long, 721, 8, seed=1)) is None
    assert pool().answer(Ask("a", short, 10, 8, seed=1)) is None
    assert speaks(long, REPLICA)
    assert not speaks(short, REPLICA)


@dataclass
class Spoilt:
    """Answers NaN for the workload of one seed, or fails altogether."""

    schema: Schema = REPLICA
    name: str = "spoilt"
    seed: int = -1
    fails: bool = False

    def drawn(self, arrays: Arrays, *, seeds: Sequence[int], count: int) -> Array:
        if self.fails:
            raise Refused("spoilt: the graph fails to run (a test); export it again")
        paths = np.zeros((len(seeds), count, self.schema.horizon, 3), dtype=np.float32)
        paths[[seed == self.seed for seed in seeds], 0, 0, 0] = np.nan
        return paths


def test_one_answer_that_is_no_number_silences_that_workload_alone(pasts: list[Past]) -> None:
    given = asks(pasts)
    found = Pool([Spoilt(seed=given[3].seed)])
    found.prefetch(given)
    assert "answers that are no numbers" in found.trouble["replica"]
    silent = [found.answer(ask) is None for ask in given]
    assert silent == [i == 3 for i in range(len(given))]


def test_a_graph_that_fails_is_silent_and_says_why(pasts: list[Past]) -> None:
    found = Pool([Spoilt(fails=True)])
    found.prefetch(asks(pasts))
    assert found.answer(asks(pasts)[0]) is None
    assert found.trouble["replica"] == "spoilt: the graph fails to run (a test); export it again"


def test_no_network_at_all_is_silence(pasts: list[Past]) -> None:
    assert Pool([]).answer(asks(pasts)[0]) is None
    assert Pool([]).name == "none"


def test_paths_of_a_graph_are_demand_around_the_newest_rows(tmp_path: Path, history: Make) -> None:
    artifact(tmp_path, REPLICA, graph=persistence(REPLICA, gain=0.0), gain=0.0)
    rates = np.full(200, 10.0)
    rates[-30:] = 25.0
    told = past_of(history(rates, step=60.0))
    made = Pool([opened(tmp_path, "replica")]).answer(Ask("a", told, 30, 4, seed=1))
    assert made is not None
    np.testing.assert_allclose(made, np.broadcast_to([25.0, 25_000.0, 5_000.0], made.shape), rtol=1e-4)


def test_noise_is_standard_normal_and_each_seeds_own() -> None:
    noise = noise_of([5, 6, 5], 400, REPLICA)
    np.testing.assert_array_equal(noise[0], noise[2])
    assert not np.array_equal(noise[0], noise[1])
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
