"""Memory in blocks against a count of every sequence's own blocks, step by step."""

from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.kvcache import in_blocks, lasting, padding

blocks = st.sampled_from([1, 2, 16, 64])
lengths = st.lists(st.integers(1, 500), min_size=1, max_size=20)


def phases_of(lengths: list[int], block: int, steps: int) -> list[int]:
    phases = [0] * block
    for length in lengths:
        phases[(length - steps) % block] += 1
    return phases


def held(lengths: list[int], block: int) -> int:
    """Blocks as an engine would list them."""
    return sum(len(range(0, length, block)) for length in lengths) * block


@given(tokens=st.integers(0, 10_000), block=blocks)
def test_whole_blocks_hold_the_tokens_and_no_block_is_empty(tokens: int, block: int) -> None:
    whole = in_blocks(tokens, block)
    assert whole % block == 0
    assert tokens <= whole < tokens + block


@given(lengths=lengths, block=blocks, joined=st.integers(0, 100), later=st.integers(0, 100))
def test_padding_is_what_the_last_blocks_have_left(lengths: list[int], block: int, joined: int, later: int) -> None:
    grown = [length + later for length in lengths]
    assert padding(phases_of(lengths, block, joined), joined + later) == held(grown, block) - sum(grown)


@given(lengths=lengths, block=blocks, steps=st.integers(0, 100), free=st.integers(0, 3000))
def test_a_batch_lasts_until_its_next_blocks_are_not_free(
    lengths: list[int], block: int, steps: int, free: int
) -> None:
    found, began = lasting(phases_of(lengths, block, steps), steps, free), held(lengths, block)
    assert held([length + found for length in lengths], block) - began <= free
    assert held([length + found + 1 for length in lengths], block) - began > free
