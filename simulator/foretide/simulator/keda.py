"""KEDA: a ScaledObject on an engine gauge, the HPA that it generates, and the guard against overshoot.

KEDA itself moves the count between 0 and 1: it polls every 30 s, is active while the metric is above the activation
threshold, and takes an inactive target to zero once the cooldown of 300 s has passed. Everything above 1 is HPA on an
external metric with target type AverageValue (KEDA: pkg/scaling/executor/scale_scaledobjects.go and its ScaledObject
reference). The guard is the formula of llm-d's guide to KEDA (docs/architecture/advanced/autoscaling/keda-epp.md),
which credits replicas that are on their way: demand <= replicas ? demand : max(demand - pending, replicas).

llm-d states the formula for a target of 1 per replica; here demand is the gauge over its threshold, which is the same
at 1. What is NOT promised: a return from zero. With no replica there is no engine whose queue could be scraped, as in
life without a gateway's queue; keep a minimum of 1.
"""

from dataclasses import dataclass

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import Behavior
from foretide.simulator.autoscaler import Choice, Gauge, View
from foretide.simulator.hpa import HpaTail
from foretide.simulator.hpa_metrics import SYNC_S, average_value
from foretide.simulator.rivals import WAITING_TARGET

POLLING_S, COOLDOWN_S = 30.0, 300.0
KNOBS = ("threshold",)


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger and the settings of its ScaledObject; times in seconds."""

    gauge: Gauge = "waiting"
    threshold: float = WAITING_TARGET
    """The gauge's target per replica."""
    activation: float = 0.0
    polling_s: float = POLLING_S
    cooldown_s: float = COOLDOWN_S
    credit: bool = True
    """Whether llm-d's guard is used."""


class Keda:
    """The policy `keda`."""

    name = "keda"
    interval_s = SYNC_S
    begins_with = None

    def __init__(
        self,
        *,
        min_replicas: int,
        max_replicas: int,
        trigger: Trigger | None = None,
        behavior: Behavior | None = HPA_DEFAULT,
    ) -> None:
        self._trigger, self._min = trigger or Trigger(), min_replicas
        # HPA cannot hold less than one replica; zero is KEDA's own doing.
        self._tail = HpaTail(min_replicas=max(1, min_replicas), max_replicas=max_replicas, behavior=behavior)
        self._next_poll = self._last_active = float("-inf")

    def decide(self, view: View) -> Choice:
        total = view.total(self._trigger.gauge)
        if self._last_active == float("-inf"):
            self._last_active = self._next_poll = view.now
        moved = self._poll(view, total) if view.now >= self._next_poll - 1e-6 else None
        if moved is not None or view.desired == 0:
            return moved or Choice(None, "Inactive", "rests at zero")
        if total is None:
            return self._tail.blind(view, f"no {self._trigger.gauge} requests were scraped")
        return self._through_hpa(view, total)

    def _poll(self, view: View, total: float | None) -> Choice | None:
        """KEDA's own loop: between 0 and 1, nothing else."""
        self._next_poll += self._trigger.polling_s
        if total is not None and total > self._trigger.activation:
            self._last_active = view.now
            return Choice(1, "Activated", f"{total:.0f} {self._trigger.gauge}") if view.desired == 0 else None
        rested = view.now - self._last_active
        if self._min == 0 and view.desired > 0 and total is not None and rested >= self._trigger.cooldown_s:
            return Choice(0, "CooledDown", f"inactive for {rested:.0f} s")
        return None

    def _through_hpa(self, view: View, total: float) -> Choice:
        why = f"{total:.0f} {self._trigger.gauge}, threshold {self._trigger.threshold:g} per replica"
        if not self._trigger.credit:
            wanted = average_value(total=total, target=self._trigger.threshold, current=view.desired)
            return self._tail.settle(view, wanted=wanted, why=why)
        guarded = credited(total / self._trigger.threshold, replicas=view.desired, pending=view.starting)
        wanted = average_value(total=guarded, target=1.0, current=view.desired)
        return self._tail.settle(view, wanted=wanted, why=f"{why}, {view.starting} starting")


def credited(demand: float, *, replicas: int, pending: int) -> float:
    """llm-d's guard: demand in replicas, less what is on its way, but never a reason to go down while demand is up."""
    return demand if demand <= replicas else max(demand - pending, float(replicas))
