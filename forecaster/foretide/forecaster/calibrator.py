"""The parts of online calibration together: what they do to a pooled forecast, and what they learn when it matures.

Pooled paths -> rank remap -> peak stretch -> ceiling. What is learned comes from forecasts whose whole horizon has
passed, by the settings that were in force when they were made.

What is NOT promised: calibration of prompt and output tokens' joint intervals. Each indicator is remapped, the peak of
their common work is controlled; coverage is reported for requests/s.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.random import default_rng

from foretide.forecaster.calibration import Remap
from foretide.forecaster.conformal import TARGET, AdaptiveLevel, peaks, stretched
from foretide.forecaster.drift import SkillSum, Wager
from foretide.forecaster.past import Past
from foretide.forecaster.ranks import Sketch, sketch
from foretide.policies.flow import REQUESTS, Floats, Reliability

RECENT = 30
"""Origins that the remap keeps after an alarm, and for whose number the gain stays raised."""
EAGER = 3.0
"""Factor on the gain after an alarm."""
WIDENED = 0.03
"""Rank by which an alarm raises the level of the peak at once."""
HALF_LIFE = 500.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Which parts are on, so that each can be shown to earn its place."""

    remap: bool = True
    conformal: bool = True
    drift: bool = True
    pooling: bool = True
    """Off: all paths come from the tier with the largest weight."""
    gain: float = 0.02
    """Of the peak's level, for each horizon that has passed."""
    memory: int = 300
    work: tuple[float, float, float] | None = None
    """Work of one request, prompt token and output token; None: each in units of its own mean."""


@dataclass(frozen=True, slots=True, eq=False)
class Issued:
    """What must be known of a served forecast to learn from its outcome."""

    made_at: float
    pooled: Sketch
    """Before the remap: (M, H, 3)."""
    served: Sketch
    """Requests/s as served: (M, H)."""
    peak: Sketch
    """Peak work before the stretch: (M,)."""
    peak95: float
    """As served."""
    work: Floats
    level: float


@dataclass(slots=True)
class _Tally:
    """Forgetting shares."""

    mass: float = 0.0
    inside80: float = 0.0
    inside95: float = 0.0
    peak_mass: float = 0.0
    above: float = 0.0


@dataclass(slots=True)
class Calibrator:
    """The state of one target's calibration."""

    parts: Calibration
    _remap: Remap = field(init=False, repr=False)
    _level: AdaptiveLevel = field(init=False, repr=False)
    _wager: Wager = field(default_factory=Wager, repr=False)
    _skill: SkillSum = field(default_factory=SkillSum, repr=False)
    _tally: _Tally = field(default_factory=_Tally, repr=False)
    _origins: int = 0
    _alarms: int = 0
    _drift: str = ""
    _alert: int = 0
    """Origins for which the gain stays raised."""

    def __post_init__(self) -> None:
        self._remap = Remap(memory=self.parts.memory)
        self._level = AdaptiveLevel(gain=self.parts.gain)

    def applied(self, pooled: Floats, *, past: Past, bound: Floats) -> tuple[Floats, Issued]:
        """Served paths (K, H, 3), within [0, bound], and what is to be remembered of them."""
        work = self._work(past)
        moved = np.clip(self._remap.applied(pooled), 0.0, bound) if self.parts.remap else pooled
        level = self._level.level
        served = moved
        if self.parts.conformal:
            served = np.clip(stretched(moved, work, target=TARGET, level=level), 0.0, bound)
        return served, Issued(
            made_at=past.end,
            pooled=sketch(pooled),
            served=sketch(served[:, :, REQUESTS]),
            peak=sketch(peaks(moved, work)),
            peak95=float(np.quantile(peaks(served, work), TARGET)),
            work=work,
            level=level,
        )

    def add(self, issued: Issued, actual: Floats, *, share: float, pooled: float, reference: float) -> bool:
        """Learns from the outcome (H, 3) of a forecast, NaN rows missing; whether a drift alarm went off.

        `share` is how much of a horizon lies between forecasts, `pooled` and `reference` are the CRPS of both.
        """
        tie = float(default_rng(abs(int(issued.made_at))).random())
        self._remap.add(issued.pooled.rank(actual, tie=tie))
        self._count(issued, actual)
        self._origins += 1
        gain = self.parts.gain * share * (EAGER if self._alert else 1.0)
        self._alert = max(0, self._alert - 1)
        self._drift = self._drift if self._alert else ""
        if np.isfinite(actual).all():
            rank = float(issued.peak.rank((actual @ issued.work).max(), tie=tie))
            self._level.add(exceeded=self._level.exceeded_by(rank, level=issued.level), gain=gain)
        first = Sketch(issued.served.values[:, 0], issued.served.ranks).rank(actual[0, REQUESTS], tie=tie)
        odd = self.parts.drift and bool(np.isfinite(first)) and self._wager.add(float(first))
        lost = self.parts.drift and self._skill.add(pooled=pooled, reference=reference, share=share)
        if odd or lost:
            self._alarm("outcomes no longer fall where forecasts said" if odd else "the pool lost to its reference")
        return odd or lost

    def reliability(self) -> Reliability | None:
        """None before anything matured."""
        tally = self._tally
        if not tally.mass:
            return None
        return Reliability(
            coverage80=tally.inside80 / tally.mass,
            coverage95=tally.inside95 / tally.mass,
            peak_exceeded=tally.above / tally.peak_mass if tally.peak_mass else 0.0,
            peak_level=self._level.level,
            origins=self._origins,
            alarms=self._alarms,
            drift=self._drift,
        )

    def _work(self, past: Past) -> Floats:
        return 1.0 / past.unit if self.parts.work is None else np.array(self.parts.work, dtype=np.float64)

    def _count(self, issued: Issued, actual: Floats) -> None:
        keep, tally = 0.5 ** (1.0 / HALF_LIFE), self._tally
        requests = actual[:, REQUESTS]
        known = np.isfinite(requests)
        ends = [_at(issued.served, rank) for rank in (0.1, 0.9, 0.025, 0.975)]
        tally.mass = keep * tally.mass + float(known.mean())
        tally.inside80 = keep * tally.inside80 + float(((ends[0] <= requests) & (requests <= ends[1])).mean())
        tally.inside95 = keep * tally.inside95 + float(((ends[2] <= requests) & (requests <= ends[3])).mean())
        if known.all():
            tally.peak_mass = keep * tally.peak_mass + 1.0
            tally.above = keep * tally.above + float((actual @ issued.work).max() > issued.peak95)

    def _alarm(self, why: str) -> None:
        """Widens at once, forgets what came before, and learns faster for a while."""
        self._alarms += 1
        self._drift, self._alert = why, RECENT
        self._remap.forget(keep=RECENT)
        self._level.level = max(self._level.level, min(self._level.level + WIDENED, 1.0))
        self._wager.restart()


def _at(drawn: Sketch, rank: float) -> Floats:
    """The value at a rank between the sketch's order statistics: (...)."""
    place = float(np.interp(rank, drawn.ranks, np.arange(len(drawn.ranks))))
    left = int(place)
    right = min(left + 1, len(drawn.ranks) - 1)
    return np.asarray(drawn.values[left] + (place - left) * (drawn.values[right] - drawn.values[left]))
