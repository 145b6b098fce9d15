"""What has to be done at times known beforehand, beside the events of the replicas."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf


class Agenda:
    """Errands by time; those of one time in the order in which they were put down."""

    __slots__ = ("_errands", "_order", "next_at")

    def __init__(self) -> None:
        self._errands: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.next_at = inf
        """When the next errand is due; infinite without one."""

    def put(self, at: float, errand: Callable[[], None]) -> None:
        """An infinite time is never."""
        if at < inf:
            heappush(self._errands, (at, next(self._order), errand))
            self.next_at = self._errands[0][0]

    def run_next(self) -> None:
        """Carries out the next errand; there is one."""
        _, _, errand = heappop(self._errands)
        self.next_at = self._errands[0][0] if self._errands else inf
        errand()
