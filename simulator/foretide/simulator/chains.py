"""Requests that follow from one another: turns of a conversation, calls of an agent.

Each call's prompt is all that was said before and something new, so that a prefix cache finds most of it again. When a
call comes depends on when the answer before it was there. That time is nominal here, NOMINAL_TTFT_S and NOMINAL_TPOT_S
for each token: the trace is an open loop. What is NOT promised, therefore: that people and agents wait for a fleet that
is slower than that, or send more to one that is faster. A replay of such a trace keeps asking a fleet that has fallen
behind, which is harder on it than life would be.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from foretide.policies.flow import Floats
from foretide.simulator.lengths import Parts, mixture, whole
from foretide.simulator.requests import Tokens

NOMINAL_TTFT_S, NOMINAL_TPOT_S = 0.5, 0.02
"""The first token and each further one of an answer that the next call waits for."""
SAMPLE = 20_000
"""Chains from which mean length and duration are measured; about 1 % of sampling error at the default spread."""
LONGEST_CHAIN = 5000
SUB_CALLS, SUB_FIRST, SUB_NEW = ((1.0, 10.5, 0.5),), ((1.0, 2_000.0, 0.5),), ((1.0, 2_240.0, 1.4),)
"""A sub-agent's number of calls, first prompt beyond the system prompt, and what a tool adds; the collection of coding
sessions that `Agents` names has about these."""


@dataclass(frozen=True, slots=True)
class Chain:
    """How a kind of chain goes on. Lengths in tokens, times in seconds, all mixtures of lognormals."""

    calls: Parts | float
    """Calls of a chain; a number is the mean of a geometric one."""
    first: Parts
    """The first prompt beyond the system prompt."""
    new: Parts
    """What each later prompt adds to the conversation so far."""
    output: Parts
    pause: Parts
    """From an answer to the next call."""
    system_tokens: int
    systems: int
    context_tokens: int
    """A chain ends before prompt and output would exceed this."""
    subagents: float = 0.0
    """Chains of their own that each call starts, on average."""


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """Requests of chains, (n,) each, in no order of time."""

    arrival_s: Floats
    prompt_tokens: Tokens
    output_tokens: Tokens
    chain: NDArray[np.int64]
    """Which chain a request belongs to, from 0."""
    system: NDArray[np.int64]
    """Which system prompt it begins with, from 0; -1 for none."""
    system_tokens: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.arrival_s)

    def where(self, keep: NDArray[np.bool_] | NDArray[np.integer]) -> "Calls":
        """Those that are picked, in the order of the picks."""
        return Calls(*(getattr(self, name)[keep] for name in self.__slots__))


def unfold(rng: Generator, kind: Chain, starts: Floats) -> Calls:
    """All calls of the chains that begin at `starts`, and of the sub-agents that they start."""
    main = _unfold(rng, kind, starts)
    if not kind.subagents or not len(main):
        return main
    spawning = np.flatnonzero(rng.random(len(main)) < kind.subagents)
    begin = main.arrival_s[spawning] + nominal_s(main.output_tokens[spawning])
    return joined([main, _unfold(rng, _sub(kind), begin)])


def joined(parts: list[Calls]) -> Calls:
    """The requests of all parts; chains and system prompts of different parts stay different."""
    chains = np.cumsum([0, *(int(part.chain.max(initial=-1)) + 1 for part in parts)])
    systems = np.cumsum([0, *(int(part.system.max(initial=-1)) + 1 for part in parts)])
    return Calls(
        arrival_s=np.concatenate([part.arrival_s for part in parts]),
        prompt_tokens=np.concatenate([part.prompt_tokens for part in parts]),
        output_tokens=np.concatenate([part.output_tokens for part in parts]),
        chain=np.concatenate([part.chain + first for part, first in zip(parts, chains[:-1], strict=True)]),
        system=np.concatenate(
            [
                np.where(part.system < 0, -1, part.system + first)
                for part, first in zip(parts, systems[:-1], strict=True)
            ]
        ),
        system_tokens=np.concatenate([part.system_tokens for part in parts]),
    )


def single(at: Floats, prompt_tokens: Tokens, output_tokens: Tokens) -> Calls:
    """Requests that nothing precedes and nothing follows."""
    count = len(at)
    return Calls(
        at, prompt_tokens, output_tokens, np.arange(count), np.full(count, -1), np.zeros(count, dtype=np.int64)
    )


def nominal_s(output_tokens: Tokens) -> Floats:
    """From a request to the end of its answer, nominally."""
    return np.asarray(NOMINAL_TTFT_S + NOMINAL_TPOT_S * output_tokens, dtype=np.float64)


@cache
def usual(kind: Chain) -> tuple[float, float]:
    """Mean calls of a chain, those of its sub-agents included, and the seconds that 99 % of chains take at most."""
    starts = np.zeros(SAMPLE)
    calls = unfold(np.random.default_rng(0), kind, starts)
    ends = np.zeros(int(calls.chain.max()) + 1)
    np.maximum.at(ends, calls.chain, calls.arrival_s)
    return len(calls) / SAMPLE, float(np.quantile(ends[:SAMPLE], 0.99))


def _unfold(rng: Generator, kind: Chain, starts: Floats) -> Calls:
    counts = _counts(rng, kind.calls, len(starts))
    chain, total = np.repeat(np.arange(len(starts)), counts), int(counts.sum())
    first = np.cumsum(counts) - counts
    output = whole(np.minimum(mixture(rng, kind.output, total), kind.context_tokens // 2))
    added = mixture(rng, kind.new, total)
    room = kind.context_tokens - kind.system_tokens - output[first]
    added[first] = np.minimum(mixture(rng, kind.first, len(starts)), room)
    new = whole(added)
    so_far = _before(new + output, first, counts)
    prompt = kind.system_tokens + so_far + new
    waits = nominal_s(output) + mixture(rng, kind.pause, total)
    calls = Calls(
        arrival_s=np.repeat(starts, counts) + _before(waits, first, counts),
        prompt_tokens=prompt,
        output_tokens=output,
        chain=chain,
        system=np.repeat(_systems(rng, kind, len(starts)), counts),
        system_tokens=np.full(total, kind.system_tokens),
    )
    over = prompt + output > kind.context_tokens
    return calls.where(_before(over.astype(np.int64), first, counts) + over == 0)


def _before(values: NDArray[Any], first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[Any]:
    """Within each chain, the sum of the values before."""
    total = np.cumsum(values) - values
    return np.asarray(total - np.repeat(total[first], counts))


def _counts(rng: Generator, calls: Parts | float, chains: int) -> NDArray[np.int64]:
    if isinstance(calls, tuple):
        return np.clip(np.rint(mixture(rng, calls, chains)), 1, LONGEST_CHAIN).astype(np.int64)
    return np.minimum(rng.geometric(1.0 / calls, chains), LONGEST_CHAIN)


def _systems(rng: Generator, kind: Chain, chains: int) -> NDArray[np.int64]:
    """The k-th system prompt has a share proportional to 1/k; -1 where there is none."""
    if not kind.system_tokens:
        return np.full(chains, -1)
    bounds = np.cumsum(1.0 / np.arange(1, kind.systems + 1))
    return np.searchsorted(bounds / bounds[-1], rng.random(chains), side="right").astype(np.int64)


def _sub(kind: Chain) -> Chain:
    """A sub-agent: the same model and tools, a shorter loop, no person, a system prompt of its own."""
    return replace(
        kind,
        calls=SUB_CALLS,
        first=SUB_FIRST,
        new=SUB_NEW,
        pause=((1.0, *kind.pause[0][1:]),),
        systems=1,
        subagents=0.0,
    )
