"""The ladder: simple models that join as history grows, pooled by how well their forecasts turned out.

    3 bins     -> flagged reactive fallback          60 bins             -> + ets
    5 minutes  -> three bootstraps, last-72          90 bins and horizon -> + regression
                                                     1.1 seasons         -> + seasonal-windows

Each forecast is kept until its horizon has passed, then scored: CRPS of requests/s, step by step where demand was
measured, and how well it knew the peak. Shares of the paths follow the scores. At the first call with enough history
its tail is rehearsed: the same code forecasts and scores at earlier origins, each with its own past only, so that a
restart has an opinion. After a row that nobody held possible, half of the paths start from it (see `shock`).

With `calibration` the pool's paths are corrected by what came of earlier ones, and watched (see `calibrator`);
`learned` tiers are scored like all others, and served once they have beaten the best.

What is NOT promised: sharp intervals (a linear pool of tiers that disagree is wider than it claims, the safe side); and
any memory between processes beyond that rehearsal.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil

import numpy as np
from numpy.random import Generator, default_rng

from foretide.forecaster.calibrator import Calibration, Calibrator, Issued
from foretide.forecaster.ets import DampedTrend
from foretide.forecaster.maturity import SAMPLES, Pending, outcome, pending, scores
from foretide.forecaster.past import FILL, Past, doubt, past_of
from foretide.forecaster.persistence import COUNTED, PersistenceBootstrap
from foretide.forecaster.reactive import reactive
from foretide.forecaster.recent import Recent
from foretide.forecaster.regression import Regression
from foretide.forecaster.scoreboard import Scoreboard
from foretide.forecaster.seasonal import SeasonalWindows
from foretide.forecaster.shock import shared, shocked
from foretide.forecaster.tier import Tier, ceiling, heard
from foretide.policies.flow import DemandForecast, DemandHistory, Floats, frozen

NEEDED_S, NEEDED_ROWS = 300.0, 5
"""Measured time, and rows, before any model is believed."""
PENDING = 8
"""Forecasts per horizon that are kept for scoring."""
REHEARSALS = 60
REHEARSED_PATHS = 96
"""Paths of a rehearsal; tails need more of them than CRPS does."""


Rehearse = Callable[[Callable[[], None]], bool]
"""Does a rehearsal now, which takes a good part of a second, and says whether it did."""


def at_once(work: Callable[[], None]) -> bool:
    work()
    return True


class Ladder:
    """A `Forecaster` for ONE target; its scores are that target's.

    `season_s` is the length of the period after which demand looks alike, in seconds. `learned` are further tiers, on
    probation until they win; whatever they answer or raise does no harm. `calibration` says which parts of the online
    calibration are on; True is those that are on by default, False none. Learned tiers may be dear to ask: they are at
    the newest `rehearsed` origins of a rehearsal, and with too few they start on probation. Raises ValueError where a
    learned tier's name is taken. `rehearse` is given the rehearsal to do now, or says that it was not done: then the
    fallback serves until it is.
    """

    def __init__(
        self,
        *,
        season_s: float = 86400.0,
        learned: Sequence[Tier] = (),
        calibration: Calibration | bool = True,
        rehearsed: int = REHEARSALS,
        rehearse: Rehearse = at_once,
    ) -> None:
        self._tiers = (*own_tiers(season_s=season_s), *learned)
        self._learned = frozenset(tier.name for tier in learned)
        if len({tier.name for tier in self._tiers}) < len(self._tiers):
            raise ValueError(f"learned: {sorted(self._learned)}: give names that no other tier has")
        self._season_s, self._rehearsals, self._rehearse_by = season_s, rehearsed, rehearse
        self._spared = False
        """Whether learned tiers are not asked, at the older origins of a rehearsal."""
        self._parts = (Calibration() if calibration else None) if isinstance(calibration, bool) else calibration
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
        if not self._rehearsed and not self._rehearse_by(lambda: self._rehearse(past, horizon)):
            return self._fallback(past, horizon, paths, seed, "its past is rehearsed when its turn comes")
        bound = ceiling(past, horizon)
        served, shares = self._turn(past, bound, horizon, paths, seed)
        if not shares:
            return self._fallback(past, horizon, paths, seed, "no stretch of this history is long enough for a model")
        return self._told(past, bound, served, {name: share / paths for name, share in shares.items() if share})

    def _start_over(self, *, step: float) -> None:
        """Scores of another grid say nothing about this one."""
        self._step = step
        self._board = Scoreboard(reference=self._tiers[0].name, probation=self._learned)
        self._calibrator = Calibrator(self._parts) if self._parts else None
        self._pending: list[Pending] = []
        self._rehearsed = False
        self._learned_from = self._shocked_until = -np.inf

    def _turn(self, past: Past, bound: Floats, horizon: int, count: int, seed: int) -> tuple[Floats, dict[str, int]]:
        """`count` served paths and how many came from which tier, kept for scoring; none where no tier speaks."""
        drawn = self._drawn(past, bound, horizon, count, seed)
        if not drawn:
            return np.empty((0, horizon, 3)), {}
        if shocked(self._pending, past):
            self._shocked_until = past.end + horizon * past.step
        shares = whole_shares(self._weights(list(drawn), at=past.end), count)
        served = np.concatenate([drawn[name][:share] for name, share in shares.items()])
        issued = None
        if self._calibrator:
            served, issued = self._calibrator.applied(served, past=past, bound=bound)
        self._remember(past, drawn, served, issued)
        return served, shares

    def _weights(self, names: Sequence[str], *, at: float) -> dict[str, float]:
        weights = self._board.weights(names)
        followers = [name for name in names if name in FOLLOWERS]
        if followers and at < self._shocked_until:
            weights = shared(weights, self._board.weights(followers))
        if self._parts is None or self._parts.pooling:
            return weights
        best = max(weights, key=lambda name: weights[name])
        return {name: float(name == best) for name in names}

    def _drawn(self, past: Past, bound: Floats, horizon: int, count: int, seed: int) -> dict[str, Floats]:
        """At least `count` bounded paths of every tier that has something to say, each from its own noise."""
        drawn = {}
        for index, tier in enumerate(self._tiers):
            if tier.name in self._learned and self._spared:
                continue
            rng = default_rng([abs(seed), index])
            ask = heard if tier.name in self._learned else _asked
            paths = ask(tier, past=past, horizon=horizon, count=max(count, SAMPLES), rng=rng)
            if paths is not None and np.isfinite(paths).all():
                drawn[tier.name] = np.clip(paths, 0.0, bound)
        return drawn

    def _remember(self, past: Past, drawn: Mapping[str, Floats], served: Floats, issued: Issued | None) -> None:
        """Keeps the forecast for scoring, unless it lies too close behind the last one that is kept."""
        spacing = max(1, served.shape[1] // PENDING) * past.step
        newest = max((waiting.made_at for waiting in self._pending), default=-np.inf)
        if self._tiers[0].name in drawn and past.end >= newest + spacing * (1 - 1e-6):
            self._pending.append(pending(past, drawn, served, season_s=self._season_s, issued=issued))

    def _mature(self, past: Past) -> None:
        """Scores what is due and was measured; forgets what is due and was not, or lies in the future."""
        tolerance = past.step * 1e-6
        due = [waiting for waiting in self._pending if waiting.due <= past.end + tolerance]
        self._pending = [waiting for waiting in self._pending if waiting.made_at <= past.end + tolerance < waiting.due]
        for waiting in due:
            actual = outcome(waiting, past)
            if actual is not None:
                self._learn(waiting, actual, past.step)

    def _learn(self, waiting: Pending, actual: Floats, step: float) -> None:
        told = scores(waiting, actual)
        self._board.add(told)
        if self._calibrator is None or waiting.issued is None:
            return
        # Overlapping horizons hold much of the same news: each counts as the part of it that is its own.
        share = min(1.0, (waiting.made_at - self._learned_from) / (len(actual) * step))
        self._learned_from = waiting.made_at
        reference = told.tiers[self._tiers[0].name]
        if self._calibrator.add(waiting.issued, actual, share=max(0.0, share), pooled=told.pooled, reference=reference):
            self._board.relearn()

    def _rehearse(self, past: Past, horizon: int) -> None:
        """Forecasts at earlier origins of this history and scores them, each origin seeing only its own past."""
        self._rehearsed = True
        spacing, needed = max(1, horizon // 2), _needed_rows(past.step)
        total = len(past.known)
        for rows in range(max(needed, total - spacing * REHEARSALS), total, spacing):
            then = past.until(rows)
            if then.count >= needed and then.age <= FILL:
                self._mature(then)
                self._spared = rows < total - spacing * self._rehearsals
                self._turn(then, ceiling(then, horizon), horizon, REHEARSED_PATHS, seed=rows)
        self._spared = False
        self._mature(past)

    def _fallback(self, past: Past, horizon: int, paths: int, seed: int, why: str) -> DemandForecast:
        drawn = reactive(past=past, horizon=horizon, count=paths, rng=default_rng(abs(seed)))
        bound = ceiling(past, horizon)
        return self._told(past, bound, np.minimum(drawn, bound), {"reactive": 1.0}, why)

    def _told(
        self, past: Past, bound: Floats, served: Floats, weights: dict[str, float], why: str = ""
    ) -> DemandForecast:
        return DemandForecast(
            made_at=past.end,
            step=past.step,
            paths=frozen(served),
            weights=weights,
            score=self._board.score(),
            flagged=why,
            reliability=self._calibrator.reliability() if self._calibrator else None,
            stale_s=past.age * past.step,
            capped=int(((served >= bound) & (bound > 0)).sum()),
        )


FOLLOWERS = ("persistence-bootstrap", "count-bootstrap")
"""Tiers whose paths start from the newest row."""


def own_tiers(*, season_s: float) -> tuple[Tier, ...]:
    """The models that every ladder has; the first is the yardstick of the others."""
    return (
        PersistenceBootstrap(),
        PersistenceBootstrap(scale=COUNTED, name="count-bootstrap"),
        PersistenceBootstrap(scale=COUNTED, smoothing=0.3, name="level-bootstrap"),
        Recent(),
        Regression(season_s=season_s),
        DampedTrend(),
        SeasonalWindows(season_s=season_s),
    )


def _asked(tier: Tier, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
    return tier.paths(past=past, horizon=horizon, count=count, rng=rng)


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
