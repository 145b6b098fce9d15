"""The prefix cache of one engine, as vLLM V1 keeps it: blocks known by their hash, shared while they run, kept after.

A trace tells hash ids of a prompt's leading blocks in its own granularity (`requests.Blocks`); an id stands for its
block and all before it. Here an id is a unit of memory that counts once however many running requests hold it. Units
that no request holds are idle: they stay, in the order in which they were let go and a request's last one first, until
memory is needed, and are then taken away from their ends by the engine's own blocks. What a request generated and no
id names is a unit of its own: a preempted request finds it again, a finished one leaves it to age like any other.

What is NOT promised: a second copy where two running requests compute the same block at once (vLLM holds both until
one ends; here it counts once), or hits across replicas.
"""

from collections.abc import Iterator
from typing import Protocol

Key = int | tuple[int]
"""A trace's hash id, or the index of the one request to which a unit belongs."""


class Hashed(Protocol):
    """What the cache reads of a request: `blocks` are its hash ids, each for `hash_tokens` tokens.

    The last id of a prompt may stand for less. Ids beyond the prompt name the answer's blocks, known once computed.
    """

    index: int
    prompt: int
    output: int
    blocks: tuple[int, ...]
    hash_tokens: int
    target: int
    """Tokens that it computes before its next output token, from its admission on."""


class Unit:
    """One hash id's memory: `size` tokens of room, of which the first `ready` are computed."""

    __slots__ = ("holders", "ready", "size")

    def __init__(self) -> None:
        self.holders = 0
        self.size = 0
        self.ready = 0


class PrefixCache:
    """Counts in tokens of whole engine blocks. Drive it with `claim`, `extend` and `release`, in the order of life."""

    __slots__ = ("_block", "_idle", "_units", "held", "hit_tokens", "idle", "shared")

    def __init__(self, block_tokens: int) -> None:
        self._block = block_tokens
        self._units: dict[Key, Unit] = {}
        self._idle: dict[Key, None] = {}
        """Oldest first."""
        self.idle = 0
        """Tokens of idle units."""
        self.held = 0
        """Tokens of units that are held, each counted once."""
        self.shared = 0
        """The same units, counted once for every holder."""
        self.hit_tokens = 0
        """Prompt tokens that were found, since the start."""

    def hit(self, job: Hashed, tokens: int) -> int:
        """How many of a request's `tokens` are ready now; at least the last one is left to compute."""
        units, found, whole = self._units, 0, 0
        for key, needed in self._needs(job, tokens):
            unit = units.get(key)
            ready = min(unit.ready, needed) if unit else 0
            found, whole = found + ready, whole + needed
            if ready < needed:
                break
        own = units.get((job.index,)) if found == whole else None
        return min(found + (own.ready if own else 0), (tokens - 1) // self._block * self._block)

    def price(self, job: Hashed) -> int:
        """Tokens of memory that nobody holds yet and this request would hold for its units."""
        return sum(self._growth(key, needed) for key, needed in self._needs(job, job.target))

    def claimed(self, job: Hashed) -> int:
        """Tokens of a request's target that are in units, so not its alone."""
        return sum(needed for _, needed in self._needs(job, job.target))

    def claim(self, job: Hashed) -> int:
        """The request is admitted: takes hold of its units and gives the tokens that it finds ready."""
        found = self.hit(job, job.target)
        self._take_back((job.index,))
        for key, needed in self._needs(job, job.target):
            self.held += self._growth(key, needed)
            self.shared += needed
            self._hold(key, needed)
        self.hit_tokens += found
        return found

    def extend(self, job: Hashed, begin: int, end: int) -> None:
        """The step under way computes the request's tokens from `begin` to `end`; others find them from now on."""
        for key, needed in self._needs(job, end, first=begin // job.hash_tokens):
            unit = self._units[key]
            unit.ready = max(unit.ready, needed)

    def release(self, job: Hashed, tokens: int) -> None:
        """The request ends or is preempted with this many tokens computed; they stay until memory is needed."""
        claims = list(self._needs(job, job.target))
        known = list(self._needs(job, tokens))
        self.shared -= sum(needed for _, needed in claims)
        self._leave((job.index,), max(0, tokens // self._block * self._block - sum(needed for _, needed in known)))
        for place in range(max(len(claims), len(known)) - 1, -1, -1):
            if place < len(claims):
                self._let_go(claims[place][0])
            if place < len(known):
                self._leave(*known[place])

    def evict(self, room: int) -> None:
        """Takes away the oldest idle blocks until at most `room` tokens are idle."""
        while self.idle > room:
            key = next(iter(self._idle))
            unit = self._units[key]
            blocks = -(-(self.idle - room) // self._block) * self._block
            if blocks < unit.size:
                unit.size -= blocks
                unit.ready = unit.size
                self.idle -= blocks
            else:
                self._take_back(key)

    def _needs(self, job: Hashed, tokens: int, *, first: int = 0) -> Iterator[tuple[Key, int]]:
        """Ids with the tokens that each names among the first `tokens`, from one id on; engines hash whole blocks."""
        size, ids = job.hash_tokens, job.blocks
        answered = len(ids) * size >= job.prompt + size
        left = min(tokens, job.prompt + job.output if answered else job.prompt) - first * size
        for key in ids[first:] if first else ids:
            if left < size:
                cut = left // self._block * self._block
                if cut > 0:
                    yield key, cut
                return
            yield key, size
            left -= size

    def _growth(self, key: Key, needed: int) -> int:
        """Tokens that become held where a request takes hold of this unit."""
        unit = self._units.get(key)
        return max(0, needed - unit.size) if unit and unit.holders else needed

    def _hold(self, key: Key, needed: int) -> None:
        unit = self._units.setdefault(key, Unit())
        if not unit.holders:
            self._wake(key, unit)
            unit.size = needed  # an idle end that this request has no use for makes room at once
            unit.ready = min(unit.ready, needed)
        unit.holders += 1
        unit.size = max(unit.size, needed)

    def _let_go(self, key: Key) -> None:
        unit = self._units[key]
        unit.holders -= 1
        if not unit.holders:
            self.held -= unit.size
            self._rest(key, unit)

    def _leave(self, key: Key, tokens: int) -> None:
        """Keeps what a request knows of a unit; where somebody holds it, it grows by itself."""
        unit = self._units.setdefault(key, Unit())
        if not unit.holders:
            self._wake(key, unit)
            unit.ready = max(unit.ready, tokens)
            self._rest(key, unit)

    def _rest(self, key: Key, unit: Unit) -> None:
        """Nobody holds the unit: what is computed of it becomes the youngest of the idle."""
        unit.size = unit.ready
        if not unit.size:
            del self._units[key]
            return
        self._idle[key] = None
        self.idle += unit.size

    def _wake(self, key: Key, unit: Unit) -> None:
        if key in self._idle:
            del self._idle[key]
            self.idle -= unit.size

    def _take_back(self, key: Key) -> None:
        unit = self._units.pop(key, None)
        if unit is not None:
            self._wake(key, unit)
