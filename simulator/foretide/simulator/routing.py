"""Which ready replica a request goes to: four ways that serving stacks have.

The scored ones add up what the endpoint picker of llm-d and the Gateway API inference extension does by default:

    queue    (longest - waiting) / (longest - shortest), 1 where all queues are equal     weight 2
    KV       1 - share of the KV cache in use                                             weight 2
    prefix   leading blocks of the prompt that went there before / blocks of the prompt   weight 3

The highest sum wins; chance decides between equals. Queue and cache are known from scrapes: each replica is scraped
every SCRAPE_S, at moments of its own (here by the first request after such a moment). Requests in between all see the
same and go the same way, as they do in life. A replica that no scrape has seen yet counts as empty. Blocks are
remembered by where requests went, as many as a replica's cache has room for, the longest unused forgotten first.

What is NOT promised: sessions, priorities, or filters; nor that a remembered block is still in the cache.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from heapq import heapify, heapreplace
from math import ceil
from random import Random
from typing import Protocol

from foretide.simulator.member import Member, Ready
from foretide.simulator.replica import Job
from foretide.simulator.requests import BLOCK_TOKENS

SCRAPE_S = 0.05
"""The endpoint picker's `--refresh-metrics-interval`."""
QUEUE, KV, PREFIX = 2.0, 2.0, 3.0
"""Weights of the endpoint picker's default profile."""


class Router(Protocol):
    """Chooses among the ready members, of which there is at least one. Called once for each request, as it goes."""

    def choose(self, members: Ready, job: Job, now: float) -> Member: ...


class RoundRobin:
    """One after the other, in the order in which they became ready; when one leaves, another may miss one turn."""

    def __init__(self) -> None:
        self._next = 0

    def choose(self, members: Ready, job: Job, now: float) -> Member:  # noqa: ARG002
        position = self._next if self._next < len(members) else 0
        self._next = position + 1
        return members[position]


class LeastOutstanding:
    """Where the fewest requests run or wait; the first to have become ready among equals."""

    def choose(self, members: Ready, job: Job, now: float) -> Member:  # noqa: ARG002
        return members.first_idlest()


class QueueAndKv:
    """Scores queues and caches, as they were when they were last scraped."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 (chance of a simulation)
        self._due: list[tuple[float, int, Member]] = []
        """When each member is scraped next, the first one first."""
        self._scrapes: dict[int, tuple[int, float]] = {}
        """Number of a member -> requests waiting, share of its cache in use; empty until it is scraped."""
        self._scores: dict[int, float] = {}
        self._best: list[Member] = []
        self._changes = 0

    def choose(self, members: Ready, job: Job, now: float) -> Member:  # noqa: ARG002
        self._look(members, now)
        return self._one_of(self._best)

    def _look(self, members: Ready, now: float) -> None:
        """Brings the scores up to date."""
        news = self._changes != members.changes
        if news:
            self._changes = members.changes
            self._meet(members, now)
        while self._due[0][0] <= now:
            due, number, member = self._due[0]
            heapreplace(self._due, (due + SCRAPE_S * ceil((now - due + 1e-9) / SCRAPE_S), number, member))
            replica = member.replica
            scrape = len(replica.waiting), replica.kv_used / replica.kv_tokens
            news = news or scrape != self._scrapes[number]
            self._scrapes[number] = scrape
        if news:
            self._score(members)

    def _meet(self, members: Ready, now: float) -> None:
        """Takes up those that have become ready, and drops those that no longer are."""
        ready = {member.number: member for member in members}
        self._due = [entry for entry in self._due if entry[1] in ready]
        new = ready.keys() - {number for _, number, _ in self._due}
        self._due += [(now + SCRAPE_S * self._random.random(), number, ready[number]) for number in sorted(new)]
        heapify(self._due)
        self._scrapes = {number: self._scrapes.get(number, (0, 0.0)) for number in ready}

    def _score(self, members: Ready) -> None:
        seen = [self._scrapes[member.number] for member in members]
        longest = max(waiting for waiting, _ in seen)
        spread = longest - min(waiting for waiting, _ in seen)
        scores = [
            QUEUE * ((longest - waiting) / spread if spread else 1.0) + KV * (1.0 - usage) for waiting, usage in seen
        ]
        top = max(scores)
        self._scores = {member.number: score for member, score in zip(members, scores, strict=True)}
        self._best = [member for member, score in zip(members, scores, strict=True) if score == top]

    def _one_of(self, equals: Sequence[Member]) -> Member:
        return equals[0] if len(equals) == 1 else self._random.choice(equals)


class PrefixAware(QueueAndKv):
    """Scores shared prefixes besides. Without hash ids of a prompt's blocks there is nothing to recognise."""

    def __init__(self, seed: int, block_tokens: int) -> None:
        super().__init__(seed)
        self._block_tokens = block_tokens
        self._went: dict[int, OrderedDict[int, None]] = {}
        """Number of a member -> blocks that went there, the longest unused first."""
        self._holders: dict[int, set[int]] = {}
        """Block -> numbers of the members that it went to."""

    def choose(self, members: Ready, job: Job, now: float) -> Member:
        self._look(members, now)
        chosen = self._one_of(self._best_for(members, job.blocks))
        self._remember(chosen, job.blocks)
        return chosen

    def _score(self, members: Ready) -> None:
        super()._score(members)
        for number in self._went.keys() - self._scores.keys():
            for block in self._went.pop(number):
                self._forget(block, number)

    def _best_for(self, members: Ready, blocks: tuple[int, ...]) -> list[Member]:
        found = self._found(blocks)
        if not found:
            return self._best
        scores = {number: self._scores[number] + PREFIX * count / len(blocks) for number, count in found.items()}
        without = self._scores[self._best[0].number]
        top = max(without, *scores.values())
        best = [member for member in members if scores.get(member.number) == top]
        return best + self._best if top == without else best

    def _found(self, blocks: tuple[int, ...]) -> dict[int, int]:
        """Number of a member -> how many of the blocks went there, up to the first that went nowhere."""
        found: dict[int, int] = {}
        for block in blocks:
            holders = self._holders.get(block)
            if not holders:
                break
            for number in holders:
                found[number] = found.get(number, 0) + 1
        return found

    def _remember(self, member: Member, blocks: tuple[int, ...]) -> None:
        went = self._went.setdefault(member.number, OrderedDict())
        for block in blocks:
            went[block] = None
            went.move_to_end(block)
            self._holders.setdefault(block, set()).add(member.number)
        room = member.replica.kv_tokens // self._block_tokens
        while len(went) > room:
            oldest, _ = went.popitem(last=False)
            self._forget(oldest, member.number)

    def _forget(self, block: int, number: int) -> None:
        holders = self._holders[block]
        holders.discard(number)
        if not holders:
            del self._holders[block]


DEFAULT = "least-outstanding"
_MADE: dict[str, Callable[[int, int], Router]] = {
    "round-robin": lambda _seed, _block_tokens: RoundRobin(),
    DEFAULT: lambda _seed, _block_tokens: LeastOutstanding(),
    "queue-and-kv": lambda seed, _block_tokens: QueueAndKv(seed),
    "prefix-aware": PrefixAware,
}
NAMES = tuple(_MADE)
"""What a scenario's `routing` may say."""


def router(name: str, seed: int, *, block_tokens: int = BLOCK_TOKENS) -> Router:
    """The router of this name; `seed` decides between equals, `block_tokens` is the size of a job's blocks.

    Raises ValueError for a name that is not in NAMES.
    """
    if name not in _MADE:
        raise ValueError(f"routing: {name}: give one of {', '.join(NAMES)}")
    return _MADE[name](seed, block_tokens)
