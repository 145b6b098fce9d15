"""How much of the processor the rehearsals of many targets may take, so that none keeps a round from ending.

A rehearsal lets a target's forecaster study its own past, once in a life, and takes a good part of a second. Thousands
of them at the start of an operator would be its first hour. Who must wait is served by the flagged fallback.

What is NOT promised: an order. Whoever asks while there is time left is let through.
"""

import threading
import time
from collections.abc import Callable

SHARE = 0.25
"""Of one core."""
SAVED_S = 15.0
"""Processor seconds that may be spent at once; what a process starts with."""


class Rehearsals:
    """A `Rehearse` for all targets of a process, from any thread: time that is there, and grows by `SHARE` a second."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._now, self._spent = now, spent
        self._left, self._at = SAVED_S, now()
        self._lock = threading.Lock()

    def __call__(self, work: Callable[[], None]) -> bool:
        if not self._may():
            return False
        began = self._spent()
        try:
            work()
        finally:
            with self._lock:
                self._left -= self._spent() - began
        return True

    def _may(self) -> bool:
        with self._lock:
            now = self._now()
            self._left = min(SAVED_S, self._left + SHARE * (now - self._at))
            self._at = now
            return self._left > 0
