"""Last value: what was asked for in the last interval, times a headroom, through the service model. No forecast.

The same capacity table and the same `behavior` as Foretide's own policy: what separates the two is the forecast, the
risk and the lead time. The counterpart asked for in ai-dynamo/dynamo#14238.

What is NOT promised: calm. It follows every interval's noise as far as `behavior` lets it.
"""

from foretide.policies.flow import Behavior, ServiceModel
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.hpa import HpaTail
from foretide.simulator.rivals import fewest_for
from foretide.simulator.scenario import Pace
from foretide.simulator.traffic import arrived


class LastValue:
    """The policy `last-value`. `headroom` multiplies the measured work; 1 is none."""

    name = "last-value"
    begins_with = None

    def __init__(
        self,
        *,
        service: ServiceModel,
        pace: Pace,
        min_replicas: int,
        max_replicas: int,
        behavior: Behavior,
        headroom: float = 1.0,
    ) -> None:
        self._service, self._pace, self._headroom = service, pace, headroom
        self._most = max_replicas
        self._tail = HpaTail(min_replicas=min_replicas, max_replicas=max_replicas, behavior=behavior)

    @property
    def interval_s(self) -> float:
        return self._pace.plan_s

    def decide(self, view: View) -> Choice:
        traffic = arrived(view, window_s=self._pace.plan_s, pace=self._pace)
        if traffic is None:
            return self._tail.blind(view, "no demand was measured")
        work = self._headroom * float(self._service.work.of(traffic.row))
        wanted = fewest_for(work, capacity=self._service.capacity, most=self._most)
        return self._tail.settle(view, wanted=wanted, why=f"{traffic.requests:.2f} requests/s, {work:.2f} work/s")
