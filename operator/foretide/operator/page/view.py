"""What the page shows, as plain values: read from what the operator keeps anyway, when somebody asks.

Every number has its unit in its name. None is "not known", never zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from foretide.operator.page.record import Decisions, Told
from foretide.operator.registry import Entry, Registry
from foretide.operator.scorecards import told as scorecard_told
from foretide.operator.seams import Clock, Key
from foretide.operator.target import Target
from foretide.policies.flow import REQUESTS, DemandForecast, DemandHistory

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of a fan."""
PAST_S = 3600.0
"""How much measured demand stands before it."""
PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Life:
    """The operator itself, as far as a reader must know it."""

    identity: str
    version: str
    leads: Callable[[], bool]
    rounds: Callable[[], int]
    """Finished rounds over all targets."""
    round_age_s: Callable[[], float]
    """Seconds since the last one."""
    plan_s: float


@dataclass(frozen=True, slots=True)
class Operator:
    """A Life at one moment; `round_age_s` is None before the first round."""

    identity: str
    version: str
    leads: bool
    rounds: int
    round_age_s: float | None
    plan_s: float
    stale: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One target in the fleet."""

    namespace: str
    name: str
    model: str
    mode: str
    problems: tuple[str, ...]
    max_replicas: int | None
    demand_rps: float | None
    """Requests/s in the newest measured bin."""
    expected_p95_rps: float | None
    """95 % quantile over paths of their peak in the horizon."""
    decided: Told | None
    risk: float | None
    """P(a declared percentile breaks) at the desired count."""
    age_s: float | None
    """Seconds since the last decision."""


@dataclass(frozen=True, slots=True)
class Fan:
    """Requests/s: measured, None for a gap, and foreseen, a row per level of LEVELS. Times are seconds since 1970."""

    step_s: float
    past_start: float
    past: tuple[float | None, ...]
    made_at: float | None
    levels: tuple[tuple[float, ...], ...]
    model: str
    flagged: str
    crps_rps: float | None
    skill: float | None
    """1 - CRPS / CRPS of the last value; None while nothing has matured."""
    origins: int


@dataclass(frozen=True, slots=True)
class Detail:
    row: Row
    fan: Fan | None
    decisions: tuple[Told, ...]
    changes: tuple[dict[str, Any], ...]
    """As in `status.history`."""
    scorecard: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Fleet:
    rows: tuple[Row, ...]
    total: int
    found: int
    """How many match what was asked for, on all pages."""
    page: int
    pages: int


class Window:
    """Looks into a running operator. Never changes anything, and never asks the cluster or a metric source."""

    def __init__(
        self,
        *,
        registry: Registry,
        known: Callable[[Key], Target | None],
        decisions: Decisions,
        life: Life,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._known = known
        self._decisions = decisions
        self._life = life
        self._clock = clock

    def operator(self) -> Operator:
        life, rounds = self._life, self._life.rounds()
        age = life.round_age_s() if rounds else None
        stale = age is not None and age > 3 * life.plan_s
        return Operator(life.identity, life.version, life.leads(), rounds, age, life.plan_s, stale)

    def fleet(self, *, words: str = "", page: int = 1) -> Fleet:
        """The targets whose name, namespace, model, mode or reason holds each of `words`; what needs a look first."""
        rows = [self._row(entry) for entry in self._registry.entries()]
        wanted = words.casefold().split()
        found = sorted((row for row in rows if _matches(row, wanted)), key=_urgency)
        pages = max(1, -(-len(found) // PER_PAGE))
        page = min(max(1, page), pages)
        shown = found[(page - 1) * PER_PAGE : page * PER_PAGE]
        return Fleet(tuple(map(self._foreseen, shown)), len(rows), len(found), page, pages)

    def detail(self, key: Key) -> Detail | None:
        """None where there is no such resource."""
        entry = self._registry.get(key)
        if entry is None:
            return None
        target = self._known(key)
        card = target.scorecard if target else None
        return Detail(
            self._foreseen(self._row(entry)),
            fan_of(target.history, target.forecast) if target and target.history else None,
            self._decisions.of(key),
            tuple((target.status if target else entry.status).get("history") or ()),
            scorecard_told(card) if card is not None and card.total.all_s > 0 else None,
        )

    def _row(self, entry: Entry) -> Row:
        told, resource = self._decisions.of(entry.key), entry.resource
        newest = told[0] if told else None
        return Row(
            namespace=entry.key.namespace,
            name=entry.key.name,
            model=resource.model if resource else "",
            mode=resource.spec.mode.value if resource else "",
            problems=entry.problems,
            max_replicas=resource.pool.max_replicas if resource else None,
            demand_rps=None,
            expected_p95_rps=None,
            decided=newest,
            risk=_risk(newest) if newest else None,
            age_s=max(0.0, self._clock.now() - newest.until) if newest else None,
        )

    def _foreseen(self, row: Row) -> Row:
        """With demand, measured and expected: of thousands of targets it would take its time, of a page it does not."""
        target = self._known(Key(row.namespace, row.name))
        if target is None or target.history is None:
            return row
        row = replace(row, demand_rps=newest_demand(target.history))
        if target.forecast is None:
            return row
        peaks = target.forecast.paths[:, :, REQUESTS].max(axis=1)
        return replace(row, expected_p95_rps=float(np.quantile(peaks, 0.95)))


def newest_demand(history: DemandHistory) -> float | None:
    """Requests/s of the newest measured bin; None where none was."""
    known = history.values[:, REQUESTS]
    known = known[np.isfinite(known)]
    return float(known[-1]) if len(known) else None


def fan_of(history: DemandHistory, forecast: DemandForecast | None) -> Fan:
    """Measured demand of the last hour, and the quantiles of what is foreseen per step."""
    rows = history.values[-max(1, round(PAST_S / history.step)) :, REQUESTS]
    levels = np.quantile(forecast.paths[:, :, REQUESTS], LEVELS, axis=0) if forecast else np.empty((0, 0))
    score = forecast.score if forecast else None
    return Fan(
        step_s=history.step,
        past_start=history.end - len(rows) * history.step,
        past=tuple(float(value) if np.isfinite(value) else None for value in rows),
        made_at=forecast.made_at if forecast else None,
        levels=tuple(tuple(float(value) for value in level) for level in levels),
        model=forecast.model if forecast else "",
        flagged=forecast.flagged if forecast else "",
        crps_rps=score.crps if score else None,
        skill=score.skill if score else None,
        origins=score.origins if score else 0,
    )


def _risk(told: Told) -> float | None:
    return dict(told.risks).get(told.counts.desired) if told.counts else None


def _matches(row: Row, words: Sequence[str]) -> bool:
    reason = row.decided.reason if row.decided else ""
    text = f"{row.namespace}/{row.name} {row.model} {row.mode} {reason}".casefold()
    return all(word in text for word in words)


def _urgency(row: Row) -> tuple[int, float, str, str]:
    """What has a problem, then the blind, then the greatest risk."""
    decided = row.decided
    if row.problems or (decided is not None and decided.counts is None):
        level = 0
    elif decided is not None and decided.trust != "Fresh":
        level = 1
    else:
        level = 2
    return level, -(row.risk or 0.0), row.namespace, row.name
