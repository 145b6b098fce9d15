"""What stands for each target, between the loop that decides and the server that is asked.

Used from one event loop only. Every operator keeps it, the leader alone answers from it: whoever takes the lead over
has something to say at once.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from foretide.operator.keda.answer import Answer, Refusal, Standing, answer, standing_of, succeeding
from foretide.operator.registry import Registry
from foretide.operator.seams import Clock, Key
from foretide.operator.status import Turn

SPARE = 64
"""Standings of resources that are gone, kept until there are more than this."""


class Ledger:
    """The Decisions of keda.answer."""

    def __init__(self, registry: Registry, *, clock: Clock, leads: Callable[[], bool], stale_s: float) -> None:
        self._registry = registry
        self._clock = clock
        self._leads = leads
        self._stale_s = stale_s
        self._standings: dict[Key, Standing] = {}
        self._watching: dict[Key, set[asyncio.Event]] = {}
        self.stopping = False

    def take(self, turn: Turn) -> None:
        """Takes in a finished turn, and wakes whoever watches it."""
        # The turn's own time is the wall clock's, which may jump; its age now is all that is taken from it.
        at = self._clock.monotonic() - max(0.0, self._clock.now() - turn.at)
        found = standing_of(turn, at=at)
        if found is not None:
            self._standings[turn.entry.key] = succeeding(self._standings.get(turn.entry.key), found)
        if len(self._standings) > len(self._registry) + SPARE:
            self._standings = {key: one for key, one in self._standings.items() if self._registry.get(key)}
        self._wake(turn.entry.key)

    def answer(self, key: Key, *, pool: str) -> Answer | Refusal:
        return answer(
            key,
            self._registry.get(key),
            self._standings.get(key),
            pool=pool,
            now=self._clock.monotonic(),
            stale_s=self._stale_s,
            leads=self._leads(),
        )

    @contextmanager
    def watching(self, key: Key) -> Iterator[asyncio.Event]:
        news = asyncio.Event()
        self._watching.setdefault(key, set()).add(news)
        try:
            yield news
        finally:
            # Anybody may ask about any name: whoever hangs up leaves nothing behind.
            self._watching[key].discard(news)
            if not self._watching[key]:
                del self._watching[key]

    def stop(self) -> None:
        """Nothing is decided any more: whoever watches is told."""
        self.stopping = True
        for key in self._watching:
            self._wake(key)

    def _wake(self, key: Key) -> None:
        for news in self._watching.get(key, ()):
            news.set()
