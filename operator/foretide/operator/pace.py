"""How fast we tell the API server: so many writes a second of what can wait, by a bucket of tokens.

Statuses, and the warnings that go with them, wait for a token. Scale writes, what is told of them, and the lease never
do; but those of a turn take theirs, so that what can wait makes room.

What is NOT promised: no burst. One second's worth may go at once, and what is under way already (loop.AT_ONCE) goes on.
"""

from collections.abc import Callable


class Pace:
    """A bucket that holds one second's tokens. `now` is a monotonic time in seconds."""

    def __init__(self, per_s: float, *, now: Callable[[], float]) -> None:
        self._per_s, self._now = per_s, now
        self._tokens, self._at = per_s, now()

    def free(self) -> bool:
        """Whether a write that can wait may go now."""
        now = self._now()
        self._tokens = min(self._per_s, self._tokens + self._per_s * max(0.0, now - self._at))
        self._at = now
        return self._tokens >= min(1.0, self._per_s)

    def spend(self, writes: int = 1) -> None:
        """Takes a token for each write; what does not wait may go into debt."""
        self._tokens -= writes
