"""One batch for the network where many targets are planned at a time: each turn leaves its question and waits a moment.

The first of them waits `GATHER_S` for the others, then all are run in one call in a thread; every tier reads its part
when its ladder asks. A question that nobody asked ahead is answered alone, to the same bits.

What is NOT promised: that a batch is full. It holds what is planned at the same time.
"""

import asyncio
import time

from foretide.forecaster.ladder import own_tiers
from foretide.forecaster.network.pool import Ask
from foretide.forecaster.network.tier import seed_ahead
from foretide.forecaster.past import past_of
from foretide.operator.networks import Networks
from foretide.policies.flow import DemandHistory
from foretide.policies.turn import Question

GATHER_S = 0.02
REFRESH_S = 30.0
"""How often new artifacts are looked for."""
PLACE = len(own_tiers(season_s=1.0))
"""Of the network among the ladder's tiers: behind its own ones. A test holds it."""


class Ahead:
    """Gathers the questions of one event loop."""

    def __init__(self, networks: Networks, *, paths: int) -> None:
        self._networks = networks
        self._paths = paths
        self._waiting: list[Ask] = []
        self._batch: asyncio.Task[None] | None = None
        self._looked_at = float("-inf")

    async def prepare(self, key: str, history: DemandHistory, question: Question) -> None:
        """Returns when the network's answer to this target's next forecast is there, as far as there is a network."""
        past = past_of(history)
        if not past.count:
            return
        seed = seed_ahead(question.seed, PLACE)
        self._waiting.append(Ask(key, past, question.horizon, self._paths, seed))
        if self._batch is None:
            self._batch = asyncio.create_task(self._run())
        await asyncio.shield(self._batch)

    async def _run(self) -> None:
        await asyncio.sleep(GATHER_S)
        asks, self._waiting, self._batch = self._waiting, [], None
        await asyncio.to_thread(self._prefetch, asks)

    def _prefetch(self, asks: list[Ask]) -> None:
        if time.monotonic() - self._looked_at >= REFRESH_S:
            self._looked_at = time.monotonic()
            self._networks.refresh()
        self._networks.pool.forget(ask.key for ask in asks)
        self._networks.pool.prefetch(asks)
