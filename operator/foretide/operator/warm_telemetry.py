"""What the operator's metrics say about warmth: GPU time that stood idle, cold-started requests, wakes, pod utility.

Counters begin at 0 in each life of the operator, as Prometheus expects; the status keeps the sums over all lives. The
histograms are of all targets together, so that their number does not grow with the fleet.
"""

from collections.abc import Callable

from prometheus_client import Counter, Histogram

from foretide.policies.warm.account import News, WarmAccount

_TARGET = ("namespace", "name")
WAKES_S = (0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1280)
UTILITIES = (0.1, 0.3, 1, 3, 10, 30, 100)


class WarmTelemetry:
    """Names are part of the product, as those in `telemetry` are."""

    def __init__(self, counter: Callable[..., Counter], histogram: Callable[..., Histogram]) -> None:
        self._idle = counter(
            "warm_idle_gpu_seconds", "GPU-seconds that replicas stood or slept while nobody asked", [*_TARGET, "tier"]
        )
        self._cold = counter("cold_started_requests", "Requests seen held while no replica was ready", _TARGET)
        self._ended = counter(
            "pods_ended", "Pods that have gone, by utility: below-1, at-least-1", [*_TARGET, "utility"]
        )
        self._wakes = histogram("wake_seconds", "Time from a tier to ready", ["tier"], buckets=WAKES_S)
        self._utility = histogram(
            "pod_utility_ratio", "Time that a pod was of use by the time it took to start", buckets=UTILITIES
        )
        self._last: dict[tuple[str, str], WarmAccount] = {}

    def count(self, labels: tuple[str, str], account: WarmAccount, news: News) -> None:
        """Takes in what a target's account has grown by since it was last taken in."""
        before = self._last.get(labels, account)
        self._last[labels] = account
        for tier, seconds in account.idle_gpu_s.items():
            self._idle.labels(*labels, tier).inc(max(0.0, seconds - before.idle_gpu_s.get(tier, 0.0)))
        self._cold.labels(*labels).inc(max(0.0, account.cold_started - before.cold_started))
        for tier, seconds in news.wakes:
            self._wakes.labels(tier).observe(seconds)
        for utility in news.utilities:
            self._ended.labels(*labels, "below-1" if utility < 1.0 else "at-least-1").inc()
            self._utility.observe(utility)

    def forget(self, labels: tuple[str, str]) -> None:
        """Drops every series of a target."""
        self._last.pop(labels, None)
        for counter in (self._idle, self._cold, self._ended):
            counter.remove_by_labels(dict(zip(_TARGET, labels, strict=True)))
