"""The KV cache in blocks: how much of it sequences of a given length take, and for how many steps it lasts.

An engine hands out memory by the block (16 tokens in vLLM). A sequence of L tokens holds ceil(L / block) of them, so
that a batch holds its tokens and what is empty in each last block. All running sequences grow by one token per step:
where each stands within its last block follows from its phase, (length - steps taken so far) modulo the block, which
never changes. `phases` below has the number of sequences at each phase, one entry for each token of a block.

What is NOT promised: swapping to host memory, or blocks of more than one size.
"""

from collections.abc import Sequence


def in_blocks(tokens: int, block: int) -> int:
    """Tokens of the whole blocks that hold this many."""
    return -(-tokens // block) * block


def padding(phases: Sequence[int], steps: int) -> int:
    """Tokens that are empty in the last blocks after this many steps."""
    block = len(phases)
    return sum(count * (-(phase + steps) % block) for phase, count in enumerate(phases) if count)


def lasting(phases: Sequence[int], steps: int, free: int) -> int:
    """How many more steps, after these, find room in `free` tokens of whole blocks. There is a sequence.

    In `block` steps each sequence takes one more block; in one step, those take one whose last block is full.
    """
    block = len(phases)
    cycles, left = divmod(free, block * sum(phases))
    for step in range(block):
        left -= block * phases[-(steps + step) % block]
        if left < 0:
            return cycles * block + step
    raise AssertionError("a cycle of steps takes one block for each sequence")
