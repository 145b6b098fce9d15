"""How many GPUs a fleet can have, over time.

What is NOT promised: eviction. A stock that falls below what is in use keeps new replicas out and takes none away.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from foretide.simulator.faults import Fault, StockOut, standing


@dataclass(frozen=True, slots=True)
class Stock:
    """(seconds, GPUs) from which on so many can be had, ascending in time; without a step there is no limit."""

    steps: tuple[tuple[float, int], ...] = ()

    def at(self, now: float, faults: Iterable[Fault] = ()) -> float:
        """GPUs that can be had now, less what a stock-out withholds; infinite without a limit."""
        index = bisect_right(self.steps, now, key=_time) - 1
        limit: float = self.steps[max(index, 0)][1] if self.steps else inf
        return min([limit, *(fault.gpus for _, fault in standing(faults, StockOut, now))])

    def shifted(self, by: float) -> "Stock":
        """The same stock on a clock that begins `by` seconds later."""
        if not self.steps:
            return self
        now = int(self.at(by))
        return Stock(((0.0, now), *((at - by, gpus) for at, gpus in self.steps if at > by)))


ENDLESS = Stock()


def _time(step: tuple[float, int]) -> float:
    return step[0]
