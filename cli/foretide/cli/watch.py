"""A run under way, as the live view sees it: what has finished so far, what was ordered last, what is expected.

Promised: looking changes nothing. NOT promised: the final figures. Shares here are of requests that have finished; one
that still waits counts only in the end.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from foretide.cli.style import clock
from foretide.cli.view import Frame, Glance
from foretide.policies.flow import REQUESTS, DemandForecast, Floats, Objective
from foretide.policies.words import explain
from foretide.simulator.fleet import Observation
from foretide.simulator.run import Asked, Run

PAST_S = 3600.0
MOST_SAID = 240


@dataclass(slots=True, eq=False)
class Watched:
    """Follows one run; call `look` often, so that no replica leaves unseen."""

    run: Run
    kept: int = 0
    finished: int = 0
    forecast: DemandForecast | None = None
    """The newest one, if this policy makes any."""
    _recent: deque[tuple[float, int, int]] = field(default_factory=deque)
    _said: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MOST_SAID))
    """For which time, and what demand at most (95 %), was forecast one cold start before."""
    _heard: int = 0

    def __post_init__(self) -> None:
        self.look()

    def look(self) -> None:
        """Takes in what finished and what was decided since the last look."""
        self._count()
        for asked in self.run.asked[self._heard :]:
            self._hear(asked)
        self._heard = len(self.run.asked)

    def _count(self) -> None:
        kept = finished = 0
        objective = self.run.bench.scenario.objective
        for member in self.run.fleet.members:
            if member.observed is not None and member.gone_at < self.run.fleet.now and not member.observed:
                continue
            for seen in self.run.fleet.observations(member.name):
                finished += 1
                kept += in_time(seen, objective)
        self.kept += kept
        self.finished += finished
        self._remember(kept, finished, window_s=objective.window_s)

    def _remember(self, kept: int, finished: int, *, window_s: float) -> None:
        now = self.run.fleet.now
        self._recent.append((now, kept, finished))
        while self._recent[0][0] <= now - window_s:
            self._recent.popleft()

    def glance(self) -> Glance:
        counts, row = self.run.fleet.counts(), self.run.rows[-1]
        lately_kept, lately = (sum(entry[i] for entry in self._recent) for i in (1, 2))
        return Glance(
            policy=self.run.autoscaler.name,
            desired=counts.desired,
            ready=counts.ready,
            starting=counts.starting,
            waiting=int(row[6]),
            kept_so_far=self.kept / self.finished if self.finished else None,
            kept_lately=lately_kept / lately if lately else None,
            gpu_hours=self.run.fleet.gpu_seconds / 3600,
            words=self.words(),
        )

    def words(self) -> str:
        """The last change of the count, or that there was none."""
        moved = next((asked for asked in reversed(self.run.asked) if asked.after != asked.before), None)
        if moved is None:
            return f"has not moved from {self.run.orders[0][1]} replicas yet"
        return f"at {clock(moved.at)}: {in_words(moved)}"

    def _hear(self, asked: Asked) -> None:
        evidence = asked.choice.evidence
        if evidence is None or evidence.forecast is None or not asked.choice.planned:
            return
        self.forecast = forecast = evidence.forecast
        step = min(int(evidence.cold_start.median_s / forecast.step), forecast.paths.shape[1] - 1)
        made_at = asked.at - evidence.now + forecast.made_at
        high = float(np.quantile(forecast.paths[:, step, REQUESTS], 0.95))
        self._said.append((made_at + (step + 0.5) * forecast.step, high))

    def expected(self, at: Floats) -> Floats:
        """What demand was expected at most (95 %) at each time, one cold start before; NaN before the first."""
        if not self._said:
            return np.full(len(at), np.nan)
        when, high = np.array(self._said).T
        return np.asarray(np.interp(at, when, high, left=np.nan), dtype=np.float64)


def in_time(seen: Observation, objective: Objective) -> bool:
    """Whether a finished request met every declared threshold; with a single token there is no TPOT to miss."""
    times = {"ttft": seen.ttft_s, "tpot": seen.tpot_s, "e2e": seen.e2e_s}
    return not any(times[name] > target.threshold_s for name, target in objective.declared().items())


def in_words(asked: Asked) -> str:
    """A change and its reason, for people."""
    evidence, decision = asked.choice.evidence, asked.choice.decision
    if evidence is not None and decision is not None:
        return explain(decision, evidence.pool)
    return f"{asked.before} -> {asked.after} replicas ({asked.choice.code}): {asked.choice.text}"


def frame_of(watched: tuple[Watched, ...], *, title: str) -> Frame:
    """The present moment of all runs; demand and forecast are those of the first one."""
    first = watched[0].run
    scenario = first.bench.scenario
    steps = max(1, round(PAST_S / scenario.pace.scrape_s))
    at = first.rows[-1][0] + scenario.pace.scrape_s * np.arange(1.0 - steps, 1.0)
    recent = [row[7] for row in first.rows[-steps:]]
    forecast = watched[0].forecast
    return Frame(
        title=title,
        now=first.fleet.now,
        end=first.bench.duration_s,
        past=np.array([np.nan] * (steps - len(recent)) + recent),
        past_s=PAST_S,
        expected=watched[0].expected(at),
        ahead=_quantiles(forecast),
        ahead_s=forecast.horizon if forecast else 4 * scenario.pace.step_s,
        promised=scenario.objective.required_joint(),
        glances=tuple(one.glance() for one in watched),
    )


def _quantiles(forecast: DemandForecast | None) -> Floats:
    if forecast is None:
        return np.empty((0, 3))
    return np.asarray(np.quantile(forecast.paths[:, :, REQUESTS], [0.05, 0.5, 0.95], axis=0).T, dtype=np.float64)
