"""Notices that we have gone blind, says so to the probe, and ends the process if that did not help.

Kopf's watcher can die for good while its health page says 200 (reliability.md 3.1). So: a watcher that reports its own
death, relists that keep finding what the watch did not tell, relists that fail while the API answers others, and sweeps
that do not finish are all deaths of this process; Kubernetes brings it back in seconds. An API server that is merely
down is none: holding still is right, and a crash loop helps nobody.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from foretide.operator.seams import Clock

logger = logging.getLogger(__name__)
CHECK_S = 5.0
GRACE_S = 30.0
"""From the first failed check to the end of the process: time for a probe to notice, and for a cure."""
DIVERGED_RELISTS = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds after which silence is a fault."""

    relist_s: float
    sweep_s: float


class Watchdog:
    """Fed by the others; `problem` is what the probe says."""

    def __init__(
        self, *, limits: Limits, clock: Clock, swept_at: Callable[[], float], end: Callable[[int], None]
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._swept_at = swept_at
        self._end = end
        self._relisted_at = clock.monotonic()
        self._relist_answered = True
        self._event_at = clock.monotonic()
        self._diverged = 0
        self._watcher_failed = ""

    def saw_event(self) -> None:
        self._event_at = self._clock.monotonic()

    def relisted(self, *, diverged: bool) -> None:
        self._relisted_at = self._clock.monotonic()
        self._diverged = self._diverged + 1 if diverged else 0

    def relist_failed(self, *, answered: bool) -> None:
        """`answered`: the API server did answer, just not with a list; then it is not merely down."""
        self._relist_answered = answered

    def watcher_failed(self, text: str) -> None:
        self._watcher_failed = text

    def ages(self) -> dict[str, float]:
        """Seconds since each sign of life."""
        now = self._clock.monotonic()
        return {"event": now - self._event_at, "relist": now - self._relisted_at, "sweep": now - self._swept_at()}

    def problem(self) -> str:
        """Why we are blind, in words; empty when we are not."""
        ages = self.ages()
        if self._watcher_failed:
            return f"the watch is dead: {self._watcher_failed}"
        if self._diverged >= DIVERGED_RELISTS:
            return f"{self._diverged} relists in a row found changes that the watch did not tell"
        if ages["relist"] > self._limits.relist_s and self._relist_answered:
            return f"the last relist is {ages['relist']:.0f} s old although the API server answers"
        if ages["sweep"] > self._limits.sweep_s:
            return f"the last sweep is {ages['sweep']:.0f} s old"
        return ""

    async def run(self) -> None:
        """Ends the process when a problem stays. Never returns."""
        since: float | None = None
        while True:
            problem, now = self.problem(), self._clock.monotonic()
            if not problem:
                since = None
            elif since is None:
                logger.error("%s", problem)
                since = now
            elif now - since >= GRACE_S:
                logger.critical("%s; ending, to be started anew", problem)
                self._end(1)
            await self._clock.sleep(CHECK_S)


class WatcherDeath(logging.Handler):
    """Hears Kopf say that a watcher has failed: its only sign, and the cheapest there is."""

    def __init__(self, watchdog: Watchdog) -> None:
        super().__init__(level=logging.ERROR)
        self._watchdog = watchdog

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if "watcher" in text.lower() and "has failed" in text:
            self._watchdog.watcher_failed(text[:200])
