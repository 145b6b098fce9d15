"""Whether a better limit is worth replacing every replica for: what pods read only when they start is set rarely.

What a change costs: every replica is away once for as long as a start takes. What it brings, at most: below n*, the
higher rate of a fuller batch; above n*, the requests that now miss; and nothing where the limit is never reached. It is
reckoned for `lasts_s`, the least time until the next change, for which lengths are taken to stay.

What is NOT promised: that the gain comes. It is an upper bound, held against the cost with a margin; the trial that
follows is what decides.
"""

from dataclasses import dataclass

from foretide.policies.concurrency.limit_rule import Lengths, StepModel
from foretide.policies.concurrency.window import Window

REACHED = 0.8
"""Share of the lower of both limits from which on a limit is taken to matter."""
MARGIN = 2.0
"""How many times its cost a change has to bring."""


@dataclass(frozen=True, slots=True)
class Restart:
    """What a change of this number does to pods. Times in seconds."""

    start_s: float
    """From order to ready."""
    lasts_s: float
    """The least time between two changes."""


def reached(seen: Window, *, limit: int, best: int) -> bool:
    """Whether as many requests were there as the lower of both limits lets run, nearly."""
    return seen.busy >= REACHED * min(limit, best)


def most_gained(seen: Window, *, limit: int, best: int, model: StepModel, lengths: Lengths) -> float:
    """The largest share of goodput that going from `limit` to `best` can bring; 0 where neither is ever reached."""
    if limit == best or not reached(seen, limit=limit, best=best):
        return 0.0
    if limit < best:
        return max(0.0, model.rate(best, lengths) / model.rate(limit, lengths) - 1.0)
    attained = seen.attainment
    return 0.0 if attained is None else 1.0 - attained


def pays(gain: float, restart: Restart) -> bool:
    """Whether what a change brings until the next one is beyond what the restart takes, with a margin."""
    return gain * restart.lasts_s > MARGIN * restart.start_s
