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
from foretide.forecaster.conformal import PEAK_TARGETS, AdaptiveStretch, peaks, stretched
from foretide.forecaster.drift import SkillSum, Wager
from foretide.forecaster.past import Past
from foretide.forecaster.ranks import Sketch, sketch
from foretide.policies.flow import REQUESTS, Floats, Reliability

RECENT = 30
"""Origins that the remap keeps after an alarm, and for whose number the gain stays raised."""
EAGER = 2.0
"""Factor on the gain after an alarm."""
WIDENED, WIDEST = 0.1, 0.7
"""Log-stretch that an alarm adds to the peak at once, and above which it adds none."""
HALF_LIFE = 500.0
REPORTED = PEAK_TARGETS.index(0.95)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Which parts are on, so that each can be shown to earn its place."""

    remap: bool = False
    """Off: on development series the pool's margins were as honest without it, and CRPS and costs a little lower."""
    conformal: bool = True
    drift: bool = False
    """Off: CRPS was worse on both development series on which alarms went off."""
    pooling: bool = True
    """Off: all paths come from the tier with the largest weight."""
    gain: float = 0.03
    """Of the peak's log-stretches, for each horizon that has passed."""
    step_gain: float = 0.03
    """Of the log-stretches at every step."""
    memory: int = 300
    work: tuple[float, float, float] | None = None
    """Work of one request, prompt token and output token; None: each in units of its own mean."""


@dataclass(frozen=True, slots=True, eq=False)
class Issued:
    """What must be known of a served forecast to learn from its outcome."""

    made_at: float
    pooled: Sketch | None
    """Before the remap: (M, H, 3); None where there is none."""
    served: Sketch
    """As served: (M, H, 3)."""
    peaks: Sketch
    """Peak work as served: (M,)."""
    work: Floats
    logs: Floats
    """Of the peak, as they were in force."""


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
    _peak: AdaptiveStretch = field(init=False, repr=False)
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
        self._peak = AdaptiveStretch(PEAK_TARGETS, gain=self.parts.gain)

    def applied(self, pooled: Floats, *, past: Past, bound: Floats) -> tuple[Floats, Issued]:
        """Served paths (K, H, 3), within [0, bound], and what is to be remembered of them."""
        work = self._work(past)
        served = np.clip(self._remap.applied(pooled), 0.0, bound) if self.parts.remap else pooled
        if self.parts.conformal:
            served = np.clip(stretched(served, work, control=self._peak), 0.0, bound)
        return served, Issued(
            made_at=past.end,
            pooled=sketch(pooled) if self.parts.remap else None,
            served=sketch(served),
            peaks=sketch(peaks(served, work), kept=len(served)),
            work=work,
            logs=self._peak.logs,
        )

    def add(self, issued: Issued, actual: Floats, *, share: float, pooled: float, reference: float) -> bool:
        """Learns from the outcome (H, 3) of a forecast, NaN rows missing; whether a drift alarm went off.

        `share` is how much of a horizon lies between forecasts, `pooled` and `reference` are the CRPS of both.
        """
        tie = float(default_rng(abs(int(issued.made_at))).random())
        self._origins += 1
        self._alert = max(0, self._alert - 1)
        self._drift = self._drift if self._alert else ""
        eager = share * (EAGER if self._alert else 1.0)
        served = issued.served.rank(actual, tie=tie)
        if issued.pooled is not None:
            pooled_ranks = issued.pooled.rank(actual, tie=tie)
            self._remap.add(pooled=pooled_ranks, served=served, gain=self.parts.step_gain * eager)
        self._count(issued, actual)
        if np.isfinite(actual).all():
            rank = issued.peaks.rank((actual @ issued.work).max(), tie=tie).reshape(1)
            self._peak.add(self._peak.beyond(rank, logs=issued.logs)[0], gain=self.parts.gain * eager)
        return self._noticed(float(served[0, REQUESTS]), share, pooled, reference)

    def reliability(self) -> Reliability | None:
        """None before anything matured."""
        tally = self._tally
        if not tally.mass:
            return None
        return Reliability(
            coverage80=tally.inside80 / tally.mass,
            coverage95=tally.inside95 / tally.mass,
            peak_exceeded=tally.above / tally.peak_mass if tally.peak_mass else 0.0,
            peak_stretch=float(np.exp(self._peak.logs[REPORTED])),
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
        low95, low80, high80, high95 = (issued.served.at(rank)[:, REQUESTS] for rank in (0.025, 0.1, 0.9, 0.975))
        tally.mass = keep * tally.mass + float(known.mean())
        tally.inside80 = keep * tally.inside80 + float(((low80 <= requests) & (requests <= high80)).mean())
        tally.inside95 = keep * tally.inside95 + float(((low95 <= requests) & (requests <= high95)).mean())
        if known.all():
            tally.peak_mass = keep * tally.peak_mass + 1.0
            tally.above = keep * tally.above + float((actual @ issued.work).max() > issued.peaks.at(0.95))

    def _noticed(self, first: float, share: float, pooled: float, reference: float) -> bool:
        """Wagers on the rank of the first step, whose outcomes do not overlap, and sums up the skill."""
        odd = self.parts.drift and bool(np.isfinite(first)) and self._wager.add(first)
        lost = self.parts.drift and self._skill.add(pooled=pooled, reference=reference, share=share)
        if odd or lost:
            self._alarm("outcomes no longer fall where forecasts said" if odd else "the pool lost to its reference")
        return odd or lost

    def _alarm(self, why: str) -> None:
        """Widens at once, forgets what came before, and learns faster for a while."""
        self._alarms += 1
        self._drift, self._alert = why, RECENT
        self._remap.forget(keep=RECENT)
        self._peak.logs = np.maximum(self._peak.logs, np.minimum(self._peak.logs + WIDENED, WIDEST))
        self._wager.restart()
