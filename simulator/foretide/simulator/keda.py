"""KEDA as llm-d recommends it: a ScaledObject on queue and running requests, its HPA, and a guard against overshoot.

KEDA itself moves the count between 0 and 1: it polls, is active while a trigger is above its activation, and takes an
inactive target to zero once the cooldown of 300 s has passed, or at once if it was never active (KEDA:
pkg/scaling/executor/scale_scaledobjects.go). Everything above 1 is the generated HPA, which takes the larger of what
its external metrics ask for. A metric that fails is nothing for HPA to act on, until the fallback, where there is one,
reports its count instead (pkg/fallback/fallback.go). No scrape at all is such a failure here, as with the trigger's
`ignoreNullValues: "false"`; by KEDA's default an empty answer counts as 0 (docs/rivals.md).

The two triggers and the guard are those of llm-d's guide (docs/architecture/advanced/autoscaling/keda-epp.md): queue
with a target per replica, there 1; running requests with a target that an owner finds by a load test, there 16; and
demand <= replicas ? demand : max(demand - pending, replicas), which credits the queue with replicas on their way. The
guide has either the guard or running requests; here both, since the queue alone falls to nothing between two queues.

Demand is the queue over its threshold, which is the guide's at 1. What is NOT promised: a return from zero. With no
replica there is no engine whose queue could be scraped, as in life without a gateway's queue; keep a minimum of 1.
"""

from dataclasses import dataclass

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import Behavior
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.hpa import HpaTail
from foretide.simulator.hpa_metrics import SYNC_S, average_value

POLLING_S, COOLDOWN_S = 30.0, 300.0
FAILURES = 3
"""`failureThreshold` of the fallback, where one is given."""
QUEUE_TARGET = 1.0
"""Queued requests per replica, in llm-d's guide."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """Triggers and settings of a ScaledObject; times in seconds."""

    threshold: float = QUEUE_TARGET
    """Queued requests per replica."""
    running_threshold: float | None = None
    """Running requests per replica; None for no such trigger."""
    activation: float = 0.0
    """Queued or running requests above which the target is active."""
    polling_s: float = POLLING_S
    cooldown_s: float = COOLDOWN_S
    credit: bool = True
    """Whether llm-d's guard is used."""
    fallback_replicas: int | None = None
    """What stands in for a metric that failed more than FAILURES times in a row."""


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
        scaled: Scaled | None = None,
        behavior: Behavior | None = HPA_DEFAULT,
    ) -> None:
        self._scaled, self._min = scaled or Scaled(), min_replicas
        # HPA cannot hold less than one replica; zero is KEDA's own doing.
        self._tail = HpaTail(min_replicas=max(1, min_replicas), max_replicas=max_replicas, behavior=behavior)
        self._next_poll: float | None = None
        self._last_active: float | None = None
        self._failures = 0

    def decide(self, view: View) -> Choice:
        waiting, running = view.total("waiting"), view.total("running")
        self._failures = self._failures + 1 if waiting is None else 0
        moved = self._poll(view, waiting, running)
        if moved is not None or view.desired == 0:
            return moved or Choice(None, "Inactive", "rests at zero")
        if waiting is None or running is None:
            return self._without_metrics(view)
        return self._through_hpa(view, waiting, running)

    def _poll(self, view: View, waiting: float | None, running: float | None) -> Choice | None:
        """KEDA's own loop: between 0 and 1, nothing else."""
        if self._next_poll is not None and view.now < self._next_poll - 1e-6:
            return None
        self._next_poll = (view.now if self._next_poll is None else self._next_poll) + self._scaled.polling_s
        if waiting is None or running is None:
            return None
        gauges = (waiting, *(() if self._scaled.running_threshold is None else (running,)))
        if max(gauges) > self._scaled.activation:
            self._last_active = view.now
            return Choice(1, "Activated", f"{max(gauges):.0f} requests") if view.desired == 0 else None
        rested = None if self._last_active is None else view.now - self._last_active
        if self._min == 0 and view.desired > 0 and (rested is None or rested >= self._scaled.cooldown_s):
            return Choice(0, "CooledDown", "never active" if rested is None else f"inactive for {rested:.0f} s")
        return None

    def _without_metrics(self, view: View) -> Choice:
        fallback = self._scaled.fallback_replicas
        if fallback is None or self._failures <= FAILURES:
            return self._tail.blind(view, "no requests were scraped")
        return self._tail.settle(view, wanted=fallback, why=f"no metric {self._failures} times, falls back")

    def _through_hpa(self, view: View, waiting: float, running: float) -> Choice:
        scaled = self._scaled
        demand = waiting / scaled.threshold
        if scaled.credit:
            demand = credited(demand, replicas=view.desired, pending=view.starting)
        wanted = average_value(total=demand, target=1.0, current=view.desired)
        if scaled.running_threshold is not None:
            by_running = average_value(total=running, target=scaled.running_threshold, current=view.desired)
            wanted = max(wanted, by_running)
        why = f"{waiting:.0f} waiting, {running:.0f} running, {view.starting} starting"
        return self._tail.settle(view, wanted=wanted, why=why)


def credited(demand: float, *, replicas: int, pending: int) -> float:
    """llm-d's guard: demand in replicas, less what is on its way, but never a reason to go down while demand is up."""
    return demand if demand <= replicas else max(demand - pending, float(replicas))
