"""HPAs as policies: one on an external metric, and the part behind the metrics that others share.

As with a `behavior` block that is empty: its defaults are what the documentation gives (4 pods or a doubling per 15 s
up, at once; 5 minutes down). Without any block, which is `behavior=None`, the controller goes an older path that lets
fewer pods through from small counts (docs/hpa-fidelity.md).

What is NOT promised: that status.replicas lags. In the simulator a pod exists from the moment at which it is asked for,
so that HPA's spec.replicas and status.replicas are the same count.
"""

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import Behavior, Memory
from foretide.simulator.autoscaler import Choice, Gauge, View
from foretide.simulator.horizontal import Limits, sync
from foretide.simulator.hpa_metrics import SYNC_S, average_value


class HpaTail:
    """The part of one HPA behind its metrics; it lives as long as the run."""

    def __init__(self, *, min_replicas: int, max_replicas: int, behavior: Behavior | None = HPA_DEFAULT) -> None:
        self._limits = Limits(min_replicas, max_replicas, behavior)
        self._memory: Memory | None = None

    def blind(self, view: View, why: str) -> Choice:
        """A sync without a metric: nothing but the bounds is enforced."""
        return self._sync(view, None, why)

    def settle(self, view: View, *, wanted: int, why: str) -> Choice:
        """The count that one sync lets through; None where it is the present one."""
        return self._sync(view, wanted, f"{why}: wants {wanted}")

    def _sync(self, view: View, wanted: int | None, why: str) -> Choice:
        done = sync(self._limits, now=view.now, current=view.desired, wanted=wanted, memory=self._memory)
        self._memory = done.memory
        code = done.code.value if done.code else "Metric"
        text = why if wanted is None else f"{why}, gets {done.replicas}"
        return Choice(None if done.replicas == view.desired else done.replicas, code, text)


class ExternalMetricHpa:
    """HPA on the sum of a gauge over all replicas, target type AverageValue, every 15 s.

    Starting replicas are credited, because the total does not grow with them.
    """

    interval_s = SYNC_S
    begins_with = None

    def __init__(
        self,
        *,
        name: str,
        gauge: Gauge,
        target: float,
        min_replicas: int,
        max_replicas: int,
        behavior: Behavior | None = HPA_DEFAULT,
    ) -> None:
        self.name, self._gauge, self._target = name, gauge, target
        self._tail = HpaTail(min_replicas=min_replicas, max_replicas=max_replicas, behavior=behavior)

    def decide(self, view: View) -> Choice:
        total = view.total(self._gauge)
        if total is None:
            return self._tail.blind(view, f"no {self._gauge} requests were scraped")
        wanted = average_value(total=total, target=self._target, current=view.desired)
        why = f"{total:.0f} {self._gauge}, target {self._target:g} per replica"
        return self._tail.settle(view, wanted=wanted, why=why)
