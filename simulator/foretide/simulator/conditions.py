"""Under what conditions replicas live in a run: how they start, how many there is room for, and what goes wrong.

The defaults are a quiet world: one tier that never runs out, no limit of GPUs, no failure. Promised: in it a fleet
behaves to the last digit as one that knows of no conditions.
"""

from dataclasses import dataclass, replace

from foretide.simulator.faults import NEVER, Failures, Fault, shifted
from foretide.simulator.starts import StartTier
from foretide.simulator.stock import ENDLESS, Stock

REFILL_S = 60.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """Times of `stock` and `faults` are seconds on one clock."""

    further_tiers: tuple[StartTier, ...] = ()
    """Slower ways to start, taken in this order where the first has no node left."""
    contention: float = 0.0
    """A start takes 1 + this x (other starts under way when it begins) times as long."""
    refill_s: float = REFILL_S
    """From a replica's end until its node can start another one the fast way."""
    stock: Stock = ENDLESS
    failures: Failures = NEVER
    faults: tuple[Fault, ...] = ()

    def shifted(self, by: float) -> "Conditions":
        """The same on a clock that begins `by` seconds later."""
        if not by:
            return self
        return replace(self, stock=self.stock.shifted(by), faults=shifted(self.faults, by))


QUIET = Conditions()
