"""Start tiers: which one a start takes, what it lasts, and that luck belongs to the ordinal alone."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.starts import SUGGESTED, StartTier, WarmNodes, contended

FAST, SLOW = StartTier(10.0, 0.2, nodes=2), StartTier(100.0, 0.2)


def test_the_draws_have_the_statistics_of_the_published_fit() -> None:
    """Huawei's cold starts (papers.md 1.6): lognormal, mean 3.24 s, sd 7.10 s, so mu 0.296 and sigma 1.326."""
    tier = StartTier.of_moments(mean_s=3.24, sd_s=7.10)
    assert log(tier.median_s) == pytest.approx(0.296, abs=0.001)
    assert tier.sigma == pytest.approx(1.326, abs=0.001)
    drawn = np.array([tier.start_s(ordinal=ordinal, seed=11) for ordinal in range(20_000)])
    assert np.log(drawn).mean() == pytest.approx(0.296, abs=4 * 1.326 / np.sqrt(20_000))
    assert np.log(drawn).std() == pytest.approx(1.326, rel=0.02)
    assert np.median(drawn) == pytest.approx(1.35, rel=0.05)
    assert np.percentile(drawn, 99) == pytest.approx(29.0, rel=0.1)
    assert drawn.mean() == pytest.approx(3.24, rel=0.06)


def test_draws_of_neighbours_are_not_alike() -> None:
    tier = StartTier(1.0, 1.0)
    drawn = np.log([tier.start_s(ordinal=ordinal, seed=3) for ordinal in range(4000)])
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.05


def test_a_start_is_as_lucky_in_every_tier() -> None:
    ratios = [SLOW.start_s(ordinal=n, seed=5) / FAST.start_s(ordinal=n, seed=5) for n in range(20)]
    assert ratios == pytest.approx([10.0] * 20)


def test_the_first_starts_find_a_warm_node_and_the_others_do_not() -> None:
    nodes = WarmNodes((FAST, SLOW), refill_s=60.0)
    assert [nodes.take(0.0) for _ in range(4)] == [FAST, FAST, SLOW, SLOW]


def test_a_node_comes_back_after_its_replica_has_left_but_no_more_than_there_were() -> None:
    nodes = WarmNodes((FAST, SLOW), refill_s=60.0)
    for _ in range(4):
        nodes.take(0.0)
    for at in (10.0, 11.0, 12.0):
        nodes.give_back(at)
    assert nodes.take(69.9) is SLOW
    assert [nodes.take(200.0) for _ in range(3)] == [FAST, FAST, SLOW]


def test_a_tier_without_a_count_never_runs_out() -> None:
    endless = StartTier(10.0, 0.2)
    nodes = WarmNodes((endless, SLOW), refill_s=60.0)
    assert {nodes.take(0.0) for _ in range(50)} == {endless}


@given(
    counts=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    moves=st.lists(st.tuples(st.floats(0.0, 50.0), st.booleans()), max_size=60),
)
def test_a_tier_never_lends_more_nodes_than_it_has(counts: list[int], moves: list[tuple[float, bool]]) -> None:
    tiers = (*(StartTier(1.0, 0.0, nodes=n) for n in counts), SLOW)
    nodes, lent, returned = WarmNodes(tiers, refill_s=0.0), 0, 0
    for at, takes in sorted(moves):
        if takes:
            lent += nodes.take(at) is not SLOW
        else:
            nodes.give_back(at)
            returned += 1
    assert lent <= sum(counts) + returned


def test_concurrent_starts_slow_each_other_by_the_coefficient() -> None:
    assert contended(80.0, others=0, coefficient=0.05) == 80.0
    assert contended(80.0, others=10, coefficient=0.05) == pytest.approx(120.0)
    assert contended(80.0, others=10, coefficient=0.0) == 80.0


def test_suggested_tiers_are_told_from_fast_to_slow() -> None:
    medians = [tier.median_s for tier in SUGGESTED.values()]
    assert medians == sorted(medians)
