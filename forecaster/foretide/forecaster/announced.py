"""A forecaster that knows its target's schedule: what is announced goes into the paths, and every event teaches.

Without a schedule it answers what the forecaster inside answers, bit for bit. With one, the forecaster inside sees the
history as it would have been without the events, and the events are put into its paths again.

What is NOT promised: memory across lives of the process. A new one learns from the events that its history still holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log

from foretide.forecaster.events import (
    Belief,
    Experience,
    announced_factor,
    believed,
    measure,
    recent_lengths,
    with_events,
    without_events,
)
from foretide.policies.declared import ScheduledEvent
from foretide.policies.flow import DemandForecast, DemandHistory, Forecaster

KEPT = 512
"""Events that are remembered as learned from."""


@dataclass(slots=True)
class Notebook:
    """What one target's past events have taught, by name. Changes only as history grows."""

    season_s: float = 86400.0
    experience: dict[str, Experience] = field(default_factory=dict)
    _learned: dict[ScheduledEvent, None] = field(default_factory=dict, repr=False)

    def of(self, event: ScheduledEvent) -> Experience:
        return self.experience.get(event.name, Experience())

    def read(self, events: Sequence[ScheduledEvent], history: DemandHistory) -> tuple[Belief, ...]:
        """Learns from the events that are over, each once and in order, then says what is believed of every one."""
        for event in sorted(events, key=lambda each: each.end_s):
            if event.end_s <= history.end and event not in self._learned:
                self._learn(event, history)
        return tuple(self._belief(event, history) for event in sorted(events, key=lambda each: each.start_s))

    def _learn(self, event: ScheduledEvent, history: DemandHistory) -> None:
        measured = measure(event, history=history, season_s=self.season_s)
        if measured is None:
            return
        weight = self._belief(event, history).weight
        error = measured.factor - log(announced_factor(event, measured.level))
        self.experience[event.name] = self.of(event).learned(error, noise_sd=measured.sd, weight=weight)
        self._learned[event] = None
        for oldest in list(self._learned)[:-KEPT]:
            del self._learned[oldest]

    def _belief(self, event: ScheduledEvent, history: DemandHistory) -> Belief:
        return believed(event, history=history, experience=self.of(event), season_s=self.season_s)


@dataclass(frozen=True, slots=True)
class Announced:
    """A `Forecaster` around another one, for one turn of one target."""

    inner: Forecaster
    events: tuple[ScheduledEvent, ...]
    notebook: Notebook

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        """As `Forecaster.forecast`; None where the forecaster inside has nothing to say."""
        ahead = history.end + max(1, horizon) * history.step
        near = tuple(event for event in self.events if event.start_s < ahead and event.end_s > history.start)
        if not near:
            return self.inner.forecast(history=history, horizon=horizon, paths=paths, seed=seed)
        beliefs = self.notebook.read(near, history)
        plain = without_events(history, beliefs)
        made = self.inner.forecast(history=plain, horizon=horizon, paths=paths, seed=seed)
        return None if made is None else with_events(made, beliefs, lengths=recent_lengths(plain), seed=seed)
