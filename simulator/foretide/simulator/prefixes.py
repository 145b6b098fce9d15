"""Hash ids for prompts whose shared beginnings are known, as an engine's prefix cache would compute them.

A prompt of n tokens has ceil(n / block) ids. Whole blocks inside a shared system prompt have the ids of that prompt;
later whole blocks have those of their chain, the same in every call, because each call begins with all before it; a
last block that is not full has an id of its own, because in the next call it is another block.
"""

import numpy as np
from numpy.typing import NDArray

from foretide.simulator.chains import Calls
from foretide.simulator.requests import Blocks, Tokens

CHUNK = 100_000
"""Requests whose ids are made at once: a week has many, and what it takes to make them is several times as much."""


def blocks_of(calls: Calls, *, tokens: int) -> Blocks:
    """The ids of each call's prompt, in the order of `calls`."""
    counts = -(-calls.prompt_tokens // tokens)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    whole, common = calls.prompt_tokens // tokens, np.where(calls.system < 0, 0, calls.system_tokens // tokens)
    shared, chained, last = _bases(calls, whole, common)
    ids = np.empty(offsets[-1], dtype=np.int64)
    for begin in range(0, len(calls), CHUNK):
        rows = np.arange(begin, min(begin + CHUNK, len(calls)))
        row, place = _places(counts[rows])
        part = ids[offsets[begin] : offsets[rows[-1] + 1]]
        np.add(chained[rows][row], place, out=part)
        np.copyto(part, shared[rows][row] + place, where=place < common[rows][row])
        np.copyto(part, last + begin + row, where=place >= whole[rows][row])
    return Blocks(ids, offsets, tokens)


def refitted(blocks: Blocks, prompt_tokens: Tokens, changed: Tokens) -> Blocks:
    """Ids for prompts that were cut or prolonged at their end; what was added is known to nobody."""
    counts = -(-changed // blocks.tokens)
    had = np.diff(blocks.offsets)
    # A request without ids stays one; an unchanged one keeps even its last, half-empty block.
    counts = np.where(had == 0, 0, np.where(changed == prompt_tokens, had, counts))
    kept = np.where(changed == prompt_tokens, had, np.minimum(np.minimum(prompt_tokens, changed) // blocks.tokens, had))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    row, place = _places(counts)
    fresh = int(blocks.ids.max(initial=-1)) + 1 + np.arange(offsets[-1])
    known = place < kept[row]
    fresh[known] = blocks.ids[blocks.offsets[row[known]] + place[known]]
    return Blocks(fresh, offsets, blocks.tokens)


def _places(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each id of requests that have so many: which request it is of, and its place in the prompt."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)


def _bases(calls: Calls, whole: Tokens, common: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The first id of each call's system prompt and of its chain, (n,) each, and the first id of last blocks."""
    room = np.zeros(int(calls.system.max(initial=-1)) + 2, dtype=np.int64)
    np.maximum.at(room, calls.system + 1, common)
    systems = np.cumsum(room) - room
    length = np.zeros(int(calls.chain.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(length, calls.chain, whole)
    chains = int(room.sum()) + np.cumsum(length) - length
    return systems[calls.system + 1], chains[calls.chain], int(room.sum() + length.sum())
