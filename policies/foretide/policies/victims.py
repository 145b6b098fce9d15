"""Which replicas to give up when the count falls: those that the fewest requests would miss.

Kubernetes itself takes replicas that are not ready first; only what then remains is chosen here.

What is NOT promised: that a replica is empty when it goes. Its own grace period is what lets requests end.
"""

from collections.abc import Collection, Mapping
from math import inf, isfinite


def victims(*, ready: Collection[str], in_flight: Mapping[str, float], unready: int, fewer: int) -> tuple[str, ...]:
    """The ready replicas to remove when `fewer` go and `unready` of those that are there are not ready.

    Ascending by requests in flight, then by name. A replica of which nothing is known counts as the busiest.
    """

    def load(name: str) -> tuple[float, str]:
        requests = in_flight.get(name, inf)
        return (requests if isfinite(requests) else inf, name)

    return tuple(sorted(ready, key=load)[: max(0, fewer - unready)])
