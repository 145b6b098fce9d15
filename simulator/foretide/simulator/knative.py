"""Knative's pod autoscaler (KPA): stable and panic windows of concurrency.

Decision rules of pkg/autoscaler/scaling/autoscaler.go, defaults of config/core/configmaps/autoscaler.yaml
(knative/serving): wanted = ceil(mean concurrency / target) over the stable window of 60 s and over the panic window,
10 % of it; both clamped to [floor(ready / 2), ceil(1000 x ready)], then raised to the activation scale. Panic while the
panic window wants at least twice the ready pods: the count then only rises, until one stable window has passed without.
An autoscaler that finds more than one ready pod begins in panic. Every 2 s. A target is 70 % of the concurrency that a
replica is given.

Concurrency is running plus waiting. What is NOT promised: Knative's own fine grain. Its queue proxies report every
second; a view has one scrape per interval, so the stable mean is one of few scrapes, and the panic value that of the
newest one, however old. Requests that wait for a first replica are in the activator's count there, and not seen here;
so there is no return from zero, and burst capacity, which only steers the activator, is left out.
"""

from collections import deque
from dataclasses import dataclass, replace
from math import ceil, floor

from foretide.simulator.autoscaler import Choice, View

TICK_S = 2.0


@dataclass(frozen=True, slots=True)
class KpaRules:
    """The settings of a revision, named after their annotations; rates are factors, times seconds."""

    concurrency: float
    """What one replica is given at most; the autoscaler aims at `utilization` of it."""
    utilization: float = 0.7
    stable_s: float = 60.0
    panic_share: float = 0.1
    panic_threshold: float = 2.0
    max_up: float = 1000.0
    max_down: float = 2.0
    scale_down_delay_s: float = 0.0
    activation_scale: float = 1.0
    """Pods at least, while anything is wanted at all."""

    @property
    def target(self) -> float:
        """Concurrency per replica that is aimed at."""
        return self.concurrency * self.utilization

    @property
    def panic_s(self) -> float:
        return self.stable_s * self.panic_share


class KpaDecider:
    """The decision itself, from two means to a count; it remembers panic and delayed scale-downs."""

    def __init__(self, rules: KpaRules, *, now: float, ready: int) -> None:
        self._rules = rules
        self._panic_at: float | None = now if ready > 1 else None
        self._most_in_panic = ready
        self._delayed: deque[tuple[float, int]] = deque()

    def follow(self, rules: KpaRules) -> None:
        """Other settings from now on, as of an edited revision."""
        self._rules = rules

    @property
    def panicking(self) -> bool:
        return self._panic_at is not None

    def scale(self, *, now: float, ready: int, stable: float, panic: float) -> int:
        """Pods wanted, given the mean concurrency over the stable and over the panic window, all pods together."""
        rules, pods = self._rules, max(1, ready)
        wanted, wanted_in_panic = ceil(stable / rules.target), ceil(panic / rules.target)
        self._feel(now, over=wanted_in_panic / pods >= rules.panic_threshold)
        count = self._bounded(wanted, pods)
        if self.panicking:
            count = max(count, self._bounded(wanted_in_panic, pods), self._most_in_panic)
            self._most_in_panic = count
        return self._later(now, count)

    def _bounded(self, wanted: int, pods: int) -> int:
        """Within the two rates of change, and no smaller than the activation scale unless nothing is wanted."""
        rules = self._rules
        count = min(max(wanted, floor(pods / rules.max_down)), ceil(rules.max_up * pods))
        return max(count, int(rules.activation_scale)) if wanted > 0 and rules.activation_scale > 1 else count

    def _feel(self, now: float, *, over: bool) -> None:
        """Panic begins and is prolonged while over the threshold, and ends one stable window after the last time."""
        if over:
            self._panic_at = now
        elif self._panic_at is not None and self._panic_at + self._rules.stable_s < now:
            self._panic_at, self._most_in_panic = None, 0

    def _later(self, now: float, count: int) -> int:
        """The largest count wanted within the scale-down delay."""
        if self._rules.scale_down_delay_s <= 0:
            return count
        self._delayed.append((now, count))
        while self._delayed[0][0] <= now - self._rules.scale_down_delay_s:
            self._delayed.popleft()
        return max(past for _, past in self._delayed)


class Knative:
    """The policy `knative`."""

    name = "knative"
    interval_s = TICK_S
    begins_with = None

    def __init__(self, *, rules: KpaRules, min_replicas: int, max_replicas: int) -> None:
        self._rules, self._min, self._max = rules, min_replicas, max_replicas
        self._decider: KpaDecider | None = None
        self._seen: deque[tuple[float, float]] = deque()

    def decide(self, view: View) -> Choice:
        decider = self._decider = self._decider or KpaDecider(self._rules, now=view.now, ready=view.ready)
        if not self._look(view):
            return Choice(None, "Blind", "no concurrency was scraped", planned=False)
        stable, panic = self._mean(view.now, self._rules.stable_s), self._mean(view.now, self._rules.panic_s)
        wanted = decider.scale(now=view.now, ready=view.ready, stable=stable, panic=panic)
        bounded = min(max(wanted, self._min), self._max)
        mode = "Panic" if decider.panicking else "Stable"
        text = f"concurrency {stable:.1f} (panic {panic:.1f}), target {self._rules.target:.1f}: wants {wanted}"
        acts = bounded != view.desired
        return Choice(bounded if acts else None, mode, f"{text}, gets {bounded}", planned=acts)

    def admit_at_most(self, limit: int) -> None:
        """Another concurrency of a replica from now on, and with it another target."""
        self._rules = replace(self._rules, concurrency=float(limit))
        if self._decider is not None:
            self._decider.follow(self._rules)

    def _look(self, view: View) -> bool:
        """Remembers a new scrape; whether anything is known."""
        running, waiting = view.total("running"), view.total("waiting")
        if running is not None and waiting is not None and view.scraped_at is not None:
            if not self._seen or self._seen[-1][0] < view.scraped_at:
                self._seen.append((view.scraped_at, running + waiting))
            while len(self._seen) > 1 and self._seen[0][0] <= view.now - self._rules.stable_s:
                self._seen.popleft()
        return bool(self._seen)

    def _mean(self, now: float, window_s: float) -> float:
        """Mean concurrency over a window; the newest scrape's where none lies within."""
        inside = [total for at, total in self._seen if at > now - window_s] or [self._seen[-1][1]]
        return sum(inside) / len(inside)
