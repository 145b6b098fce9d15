"""How many nodes to hold for models at zero, so that a start need not wait for a machine: one pool for all of them.

The n-th node pays when P(at least n starts within the time that a new node takes) x what it saves exceeds what it costs
(the newsvendor's critical ratio; Arrow, Harris and Marschak 1951). How many start at once is the sum of unequal coins,
one for each model that is at zero (Poisson binomial).
"""

from dataclasses import dataclass

import numpy as np

from foretide.policies.service import Floats


@dataclass(frozen=True, slots=True)
class NodePrices:
    """All for one node."""

    lead_s: float
    """Seconds that a new node takes."""
    price: float
    """GPU-seconds for a second of holding it; of the spare one, for example less where lower work may use it."""
    worth: float
    """GPU-seconds that a second less of waiting is worth, for all requests that a start makes wait."""


def starts_at_once(chances: Floats) -> Floats:
    """(F + 1,) P(exactly n of F models start), each by its own chance."""
    exactly = np.ones(1)
    for chance in chances:
        exactly = np.convolve(exactly, (1.0 - chance, chance))
    return exactly


def nodes_to_hold(chances: Floats, *, prices: NodePrices) -> int:
    """The fewest GPU-seconds: nodes held against starts that wait; `chances` (F,) are of one within the lead time."""
    at_least = np.cumsum(starts_at_once(chances)[::-1])[::-1]
    saved = at_least[1:] * prices.lead_s * prices.worth
    return int((saved > prices.lead_s * prices.price).sum())
