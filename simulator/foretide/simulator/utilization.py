"""HPA on a utilisation of the replicas: a Pods metric with target type AverageValue, `behavior` with its defaults.

Two signals. `gpu` is what a GPU's own utilisation counter shows, the share of time in which anything runs, here the
share of the scrapes of the last minute that found a running request. It is near 1 under any steady load, which is what
owners of LLM engines meet in life. `kv` is the share of the KV cache in use.

What is NOT promised: that draining replicas are left out. A scrape does not tell them from others; HPA would.
"""

from collections import deque
from typing import Literal

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import Behavior
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.hpa import HpaTail
from foretide.simulator.hpa_metrics import SYNC_S, pods_metric

TARGET = 0.8
WINDOW_S = 60.0

Signal = Literal["gpu", "kv"]


class UtilizationHpa:
    """The policy `hpa-utilization`."""

    interval_s = SYNC_S
    begins_with = None
    name = "hpa-utilization"

    def __init__(
        self,
        *,
        min_replicas: int,
        max_replicas: int,
        target: float = TARGET,
        signal: Signal = "gpu",
        behavior: Behavior | None = HPA_DEFAULT,
    ) -> None:
        self._target, self._signal = target, signal
        self._tail = HpaTail(min_replicas=min_replicas, max_replicas=max_replicas, behavior=behavior)
        self._taken: deque[tuple[float, dict[str, float]]] = deque()

    def decide(self, view: View) -> Choice:
        used = self._usage(view)
        if not used:
            return self._tail.blind(view, f"no {self._signal} utilisation was scraped")
        wanted = pods_metric(
            used=used,
            target=self._target,
            current=view.desired,
            missing=max(0, view.ready - len(used)),
            unready=view.starting,
        )
        mean = sum(used) / len(used)
        return self._tail.settle(view, wanted=wanted, why=f"{self._signal} {mean:.0%} used, target {self._target:.0%}")

    def _usage(self, view: View) -> list[float]:
        """Utilisation of each replica of the newest scrape."""
        if view.scraped_at is None:
            return []
        if self._signal == "kv":
            return [pod.kv_usage for pod in view.newest.values()]
        if not self._taken or self._taken[-1][0] < view.scraped_at:
            busy = {name: float(pod.running > 0) for name, pod in view.newest.items()}
            self._taken.append((view.scraped_at, busy))
        while self._taken[0][0] <= view.scraped_at - WINDOW_S:
            self._taken.popleft()
        seen = [[busy[name] for _, busy in self._taken if name in busy] for name in view.newest]
        return [sum(flags) / len(flags) for flags in seen]
