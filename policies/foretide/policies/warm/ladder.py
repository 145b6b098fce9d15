"""Which of the declared tiers makes sense at the wake times of this moment, and which one a fixed keep-alive gives."""

from foretide.policies.declared import SLEEPING, Rest
from foretide.policies.warm.tiers import Tiers, WarmTier

ZERO, READY = "zero", "ready"
MINUTE_S = 60.0


def usable(rest: Rest, *, wake_s: float) -> Tiers:
    """Zero, ready and those between that wake faster and cost more than all colder ones; a start takes `wake_s`.

    A tier that has turned out no faster than a colder one is left out: it would be paid for in vain.
    """
    steps = [WarmTier(ZERO, wake_s, 0.0)]
    for one in rest.between:
        if 0.0 < one.wake_s < steps[-1].wake_s and steps[-1].price < one.price < 1.0:
            steps.append(WarmTier(one.name, one.wake_s, one.price))
    return Tiers((*steps, WarmTier(READY, 0.0, 1.0)))


def by_keep_alive(rest: Rest, *, idle_s: float) -> str:
    """The tier after so long without a request: each from the warmest on for its own time, at last zero."""
    left = idle_s - (rest.keep_alive_s or 0.0)
    if left < 0:
        return READY
    for one in reversed(rest.between):
        if one.keep_s is None or left < one.keep_s:
            return one.name
        left -= one.keep_s
    return ZERO


def place_of(tiers: Tiers, *, desired: int, asleep: int) -> int:
    """Where a target stands among the tiers; a held node is not told from none."""
    if desired == 0:
        return 0
    names = [one.name for one in tiers.steps]
    return names.index(SLEEPING) if asleep and SLEEPING in names else len(names) - 1
