"""Equal ids stand for equal beginnings of prompts, and for nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.simulator.chains import joined, single, unfold
from foretide.simulator.prefixes import CHUNK, blocks_of, refitted
from foretide.simulator.requests import Blocks
from foretide.simulator.shape import Agents, Conversations


def shared(blocks: Blocks, one: int, other: int) -> int:
    """How many leading ids two requests have in common."""
    first, second = blocks.of(one), blocks.of(other)
    least = min(len(first), len(second))
    return int(np.cumprod(first[:least] == second[:least]).sum())


@given(
    tokens=st.sampled_from([1, 16, 100, 128, 512]),
    system=st.integers(min_value=0, max_value=900),
    seed=st.integers(min_value=0, max_value=99),
)
@settings(max_examples=60, deadline=None)
def test_two_prompts_share_the_whole_blocks_that_they_begin_with_alike(tokens: int, system: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    talk = Conversations(system_tokens=system, systems=2, turns=3.0, context_tokens=6000)
    lone = single(np.zeros(3), rng.integers(1, 2000, 3), np.ones(3, dtype=np.int64))
    calls = joined([lone, unfold(rng, talk.chain(), np.zeros(6))])
    blocks = blocks_of(calls, tokens=tokens)
    np.testing.assert_array_equal(np.diff(blocks.offsets), -(-calls.prompt_tokens // tokens))
    for one in range(len(calls)):
        for other in range(one):
            expected = 0
            if calls.chain[one] == calls.chain[other]:
                expected = min(calls.prompt_tokens[one], calls.prompt_tokens[other]) // tokens
            elif calls.system[one] == calls.system[other] >= 0:
                expected = system // tokens
            assert shared(blocks, one, other) == expected


@given(seed=st.integers(min_value=0, max_value=99))
@settings(max_examples=20, deadline=None)
def test_an_id_stands_in_one_place_only(seed: int) -> None:
    calls = unfold(np.random.default_rng(seed), Agents(calls=5.0, context_tokens=60_000).chain(), np.zeros(5))
    blocks = blocks_of(calls, tokens=128)
    place = np.arange(len(blocks.ids)) - np.repeat(blocks.offsets[:-1], np.diff(blocks.offsets))
    lowest, highest = np.full(blocks.ids.max() + 1, np.iinfo(np.int64).max), np.full(blocks.ids.max() + 1, -1)
    np.minimum.at(lowest, blocks.ids, place)
    np.maximum.at(highest, blocks.ids, place)
    seen = highest >= 0
    np.testing.assert_array_equal(lowest[seen], highest[seen])


def test_many_requests_have_ids_as_few_do() -> None:
    count = CHUNK + 7
    prompts = np.random.default_rng(0).integers(1, 400, count)
    blocks = blocks_of(single(np.zeros(count), prompts, prompts), tokens=128)
    assert len(np.unique(blocks.ids)) == len(blocks.ids) == int((-(-prompts // 128)).sum())


@given(
    st.lists(
        st.tuples(st.integers(1, 700), st.integers(1, 1500), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_changed_prompts_keep_the_whole_blocks_they_still_have(rows: list[tuple[int, int, bool]]) -> None:
    prompts, changed = (np.array([row[i] for row in rows]) for i in (0, 1))
    told = np.array([row[2] for row in rows])
    counts = np.where(told, -(-prompts // 128), 0)
    before = Blocks(np.arange(counts.sum()), np.concatenate([[0], np.cumsum(counts)]), 128)
    after = refitted(before, prompts, changed)
    for row in range(len(rows)):
        ids = after.of(row)
        if not told[row]:
            assert len(ids) == 0
        elif changed[row] == prompts[row]:
            np.testing.assert_array_equal(ids, before.of(row))
        else:
            kept = min(prompts[row], changed[row]) // 128
            assert len(ids) == -(-changed[row] // 128)
            np.testing.assert_array_equal(ids[:kept], before.of(row)[:kept])
            assert set(ids[kept:]).isdisjoint(before.ids)
    assert len(np.unique(after.ids)) == len(after.ids)


@pytest.mark.parametrize("count", [0, 1])
def test_few_requests_are_no_special_case(count: int) -> None:
    calls = single(np.zeros(count), np.full(count, 200), np.full(count, 1))
    assert len(blocks_of(calls, tokens=128).ids) == 2 * count
