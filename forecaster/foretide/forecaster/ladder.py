"""The ladder: simple models that join as history grows, pooled by how well their forecasts turned out.

    3 bins     -> flagged reactive fallback        60 bins     -> + ets
    5 minutes  -> persistence- and level-bootstrap, last-72   1.1 seasons -> + seasonal-windows

Each forecast is kept until its horizon has passed, then scored by CRPS of requests/s, step by step where demand was
measured. Shares of the paths follow the scores. At the first call with enough history its tail is rehearsed: the
same code forecasts and scores at earlier origins, each with its own past only, so that a restart has an opinion.

What is NOT promised: sharp intervals (a linear pool of tiers that disagree is wider than it claims, the safe side; it
is not recalibrated here), and any memory between processes beyond that rehearsal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.random import default_rng

from foretide.forecaster.ets import DampedTrend
from foretide.forecaster.past import FILL, Past, doubt, past_of
from foretide.forecaster.persistence import PersistenceBootstrap
from foretide.forecaster.reactive import reactive
from foretide.forecaster.recent import Recent
from foretide.forecaster.scoreboard import Scoreboard
from foretide.forecaster.scoring import crps
from foretide.forecaster.seasonal import SeasonalWindows
from foretide.forecaster.tier import Tier, ceiling
from foretide.policies.flow import REQUESTS, DemandForecast, DemandHistory, Floats, frozen

NEEDED_S, NEEDED_ROWS = 300.0, 5
"""Measured time, and rows, before any model is believed."""
SAMPLES = 48
"""Paths per tier that are kept for scoring."""
PENDING = 8
"""Forecasts per horizon that are kept for scoring."""
REHEARSALS = 60


@dataclass(frozen=True, slots=True, eq=False)
class _Pending:
    """A forecast of requests/s that waits for its outcome: samples (S, H) by tier and of the pool."""

    made_at: float
    due: float
    last_value: float
    tiers: Mapping[str, Floats]
    pooled: Floats


class Ladder:
    """A `Forecaster` for ONE target; its scores are that target's.

    `season_s` is the length of the period after which demand looks alike, in seconds.
    """

    def __init__(self, *, season_s: float = 86400.0) -> None:
        reference = PersistenceBootstrap()
        level = PersistenceBootstrap(smoothing=0.3, name="level-bootstrap")
        self._tiers: tuple[Tier, ...] = (reference, level, Recent(), DampedTrend(), SeasonalWindows(season_s=season_s))
        self._start_over(step=0.0)

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        """`paths` joint paths over `horizon` steps from the history's end; None where nothing was ever measured.

        Finite and never negative. Flagged where the history cannot carry a model. The same calls in the same order
        give the same paths.
        """
        horizon, paths = max(1, horizon), max(1, paths)
        past = past_of(history)
        if not past.count:
            return None
        if past.step != self._step:
            self._start_over(step=past.step)
        self._mature(past)
        distrust = doubt(history, past, needed=_needed_rows(past.step))
        if distrust:
            return self._fallback(past, horizon, paths, seed, distrust)
        if not self._rehearsed:
            self._rehearse(past, horizon)
        pooled, shares = self._turn(past, horizon, paths, seed)
        if not shares:
            return self._fallback(past, horizon, paths, seed, "no stretch of this history is long enough for a model")
        weights = {name: share / paths for name, share in shares.items() if share}
        return DemandForecast(past.end, past.step, frozen(pooled), weights, self._board.score())

    def _start_over(self, *, step: float) -> None:
        """Scores of another grid say nothing about this one."""
        self._step = step
        self._board = Scoreboard(reference=self._tiers[0].name)
        self._pending: list[_Pending] = []
        self._rehearsed = False

    def _turn(self, past: Past, horizon: int, count: int, seed: int) -> tuple[Floats, dict[str, int]]:
        """`count` pooled paths and how many came from which tier, kept for scoring; none where no tier speaks."""
        drawn = self._drawn(past, horizon, count, seed)
        if not drawn:
            return np.empty((0, horizon, 3)), {}
        shares = whole_shares(self._board.weights(list(drawn)), count)
        pooled = np.concatenate([drawn[name][:share] for name, share in shares.items()])
        self._remember(past, drawn, pooled)
        return pooled, shares

    def _drawn(self, past: Past, horizon: int, count: int, seed: int) -> dict[str, Floats]:
        """At least `count` bounded paths of every tier that has something to say, each from its own noise."""
        bound = ceiling(past, horizon)
        drawn = {}
        for index, tier in enumerate(self._tiers):
            rng = default_rng([abs(seed), index])
            paths = tier.paths(past=past, horizon=horizon, count=max(count, SAMPLES), rng=rng)
            if paths is not None and np.isfinite(paths).all():
                drawn[tier.name] = np.clip(paths, 0.0, bound)
        return drawn

    def _remember(self, past: Past, drawn: Mapping[str, Floats], pooled: Floats) -> None:
        """Keeps the forecast for scoring, unless it lies too close behind the last one that is kept."""
        horizon = pooled.shape[1]
        spacing = max(1, horizon // PENDING) * past.step
        newest = max((pending.made_at for pending in self._pending), default=-np.inf)
        if self._tiers[0].name not in drawn or past.end < newest + spacing * (1 - 1e-6):
            return
        picks = np.linspace(0, len(pooled) - 1, min(len(pooled), SAMPLES)).round().astype(np.int64)
        self._pending.append(
            _Pending(
                made_at=past.end,
                due=past.end + horizon * past.step,
                last_value=float(past.newest[REQUESTS]),
                tiers={name: paths[:SAMPLES, :, REQUESTS].astype(np.float32) for name, paths in drawn.items()},
                pooled=pooled[picks, :, REQUESTS].astype(np.float32),
            )
        )

    def _mature(self, past: Past) -> None:
        """Scores what is due and was measured; forgets what is due and was not, or lies in the future."""
        tolerance = past.step * 1e-6
        due = [pending for pending in self._pending if pending.due <= past.end + tolerance]
        self._pending = [pending for pending in self._pending if pending.made_at <= past.end + tolerance < pending.due]
        start = past.end - len(past.known) * past.step
        for pending in due:
            first = round((pending.made_at - start) / past.step)
            actual = past.known[max(0, first) : first + pending.pooled.shape[1], REQUESTS]
            if first >= 0 and np.isfinite(actual).any():
                self._board.add(
                    tiers={name: float(np.nanmean(crps(samples, actual))) for name, samples in pending.tiers.items()},
                    pooled=float(np.nanmean(crps(pending.pooled, actual))),
                    last_value=float(np.nanmean(np.abs(pending.last_value - actual))),
                )

    def _rehearse(self, past: Past, horizon: int) -> None:
        """Forecasts at earlier origins of this history and scores them, each origin seeing only its own past."""
        self._rehearsed = True
        spacing, needed = max(1, horizon // 2), _needed_rows(past.step)
        total = len(past.known)
        for rows in range(max(needed, total - spacing * REHEARSALS), total, spacing):
            then = past.until(rows)
            if then.count >= needed and then.age <= FILL:
                self._mature(then)
                self._turn(then, horizon, SAMPLES, seed=rows)
        self._mature(past)

    def _fallback(self, past: Past, horizon: int, paths: int, seed: int, why: str) -> DemandForecast:
        drawn = reactive(past=past, horizon=horizon, count=paths, rng=default_rng(abs(seed)))
        bounded = np.minimum(drawn, ceiling(past, horizon))
        return DemandForecast(past.end, past.step, frozen(bounded), {"reactive": 1.0}, self._board.score(), why)


def _needed_rows(step: float) -> int:
    return max(NEEDED_ROWS, min(30, ceil(NEEDED_S / step)))


def whole_shares(weights: Mapping[str, float], paths: int) -> dict[str, int]:
    """Whole paths per tier, by largest remainder; they sum to `paths`."""
    exact = {name: weight * paths for name, weight in weights.items()}
    shares = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: shares[name] - exact[name])
    for name in by_remainder[: paths - sum(shares.values())]:
        shares[name] += 1
    return shares
