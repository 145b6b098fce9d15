"""What every policy that acts through Kubernetes' HPA has in common: HPA's memory, `behavior`, and the bounds.

Order as in pkg/controller/podautoscaler/horizontal.go: the recommendation is remembered, stabilised, limited in its
rate, then brought within minReplicas and maxReplicas.

What is NOT promised: a decision. Where the wanted count comes from is the metric's affair.
"""

from foretide.policies.behavior import HPA_DEFAULT, apply_behavior
from foretide.policies.flow import Behavior, Memory, Recommendation
from foretide.policies.memory import remember_recommendation, remember_scale
from foretide.simulator.autoscaler import Choice, View


class HpaTail:
    """The part of one HPA behind its metrics; it lives as long as the run."""

    def __init__(self, *, min_replicas: int, max_replicas: int, behavior: Behavior = HPA_DEFAULT) -> None:
        self._min, self._max, self._behavior = min_replicas, max_replicas, behavior
        self._memory: Memory | None = None

    def blind(self, view: View, why: str) -> Choice:
        """Nothing is done without a metric; the count that is found is remembered if it is the first look."""
        self._memory = self._memory or _newborn(view)
        return Choice(None, "Blind", why)

    def settle(self, view: View, *, wanted: int, why: str) -> Choice:
        """The count that `behavior` and the bounds let through; None where it is the present one."""
        memory = remember_recommendation(
            self._memory or _newborn(view), at=view.now, replicas=wanted, behavior=self._behavior
        )
        allowed, code = apply_behavior(
            now=view.now, current=view.desired, wanted=wanted, behavior=self._behavior, memory=memory
        )
        bounded = min(max(allowed, self._min), self._max)
        if bounded != view.desired:
            memory = remember_scale(memory, at=view.now, before=view.desired, after=bounded)
        self._memory = memory
        text = f"{why}: wants {wanted}, gets {bounded}"
        return Choice(None if bounded == view.desired else bounded, code.value if code else "Metric", text)


def _newborn(view: View) -> Memory:
    """HPA records the count that it finds as its first recommendation."""
    return Memory(watching_since=view.now, recommendations=(Recommendation(view.now, view.desired),))
