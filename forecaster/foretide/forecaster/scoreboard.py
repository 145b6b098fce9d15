"""Which tier has earned how much: scores of matured forecasts, with forgetting, and the pool weights that follow.

A tier's loss is its CRPS and, in a smaller part, how well it knew the peak, for it is the peak that replicas are
provided for: geometric, each relative to the reference tier's on the same origins.

What is NOT promised: that the weights are the best ones in hindsight. They follow the scores with a delay of the
forecast's own horizon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from foretide.forecaster.maturity import Scores
from foretide.policies.flow import ForecastScore

POWER = 12.0
"""Weights go with (1 / loss)^POWER, that is exp(-POWER x log-regret): exponential weighting that no unit can change."""
PEAKED = 0.3
"""The peak's part of the loss."""
PRIOR = 5.0
"""Every tier starts with this many matured forecasts that were as good as the reference tier's."""
AUDIBLE = 0.25
"""A tier that has earned less than this share of the best one's weight is scored on, but not served: at a risk of one
percent, a few paths of a wide tier would be the whole decision."""
PROBATION = 20.0
"""Matured forecasts, after forgetting, before a tier on probation can have won."""
REMEMBERED = 5.0
"""Matured forecasts as which everything before a break counts."""
NEGLIGIBLE = 1e-12


@dataclass(slots=True)
class _Tally:
    """Forgetting sums of one tier's loss and, on the same origins, of the reference tier's; and of those origins."""

    loss: float = 0.0
    reference: float = 0.0
    mass: float = 0.0

    def add(self, loss: float, reference: float, keep: float) -> None:
        self.loss = keep * self.loss + loss
        self.reference = keep * self.reference + reference
        self.mass = keep * self.mass + 1.0

    def shrink(self, share: float) -> None:
        self.loss, self.reference, self.mass = self.loss * share, self.reference * share, self.mass * share


@dataclass(slots=True)
class Scoreboard:
    """Scores by tier. `reference` is the tier that is always there, the yardstick for those that join later."""

    reference: str
    half_life: float = 60.0
    """Matured origins after which a score counts half."""
    peak_half_life: float = 300.0
    """The same for what is known of peaks: each is one number, and the few that were missed decide."""
    probation: frozenset[str] = frozenset()
    """Tiers that get no share until they have beaten the best of the others."""
    origins: int = 0
    _tallies: dict[str, _Tally] = field(default_factory=dict, repr=False)
    _peaks: dict[str, _Tally] = field(default_factory=dict, repr=False)
    _seasonal: _Tally = field(default_factory=_Tally, repr=False)
    """The pool and, as its reference, the value one season before, on origins where that is known."""
    _graduates: set[str] = field(default_factory=set, repr=False)
    _mass: float = 0.0
    _pooled: float = 0.0
    _last_value: float = 0.0

    def add(self, scores: Scores) -> None:
        """Enters the scores of one matured origin, the reference tier's among them."""
        keep = 0.5 ** (1.0 / self.half_life)
        pooled, seasonal = scores.pooled, scores.seasonal
        self._enter(self._tallies, scores.tiers, keep)
        self._enter(self._peaks, scores.peaks, 0.5 ** (1.0 / self.peak_half_life))
        self._mass = keep * self._mass + 1.0
        self._pooled = keep * self._pooled + pooled
        self._last_value = keep * self._last_value + scores.last_value
        if seasonal is not None:
            self._seasonal.add(pooled, seasonal, keep)
        self.origins += 1
        self._graduates |= {name for name in self.probation & set(scores.tiers) if self._has_won(name)}

    def relearn(self) -> None:
        """After a break all that was earned counts as `REMEMBERED` origins, and probation begins again."""
        share = min(1.0, REMEMBERED / self._mass) if self._mass else 1.0
        for tally in (*self._tallies.values(), *self._peaks.values(), self._seasonal):
            tally.shrink(share)
        self._mass, self._pooled, self._last_value = self._mass * share, self._pooled * share, self._last_value * share
        self._graduates.clear()

    def weights(self, names: Sequence[str]) -> dict[str, float]:
        """Shares of the named tiers; they sum to 1. Equal before anything has matured."""
        waiting = self.probation - self._graduates
        served = [name for name in names if name not in waiting] or list(names)
        losses = {name: self._loss(name) for name in served}
        best = min(losses.values())
        raw = {name: (best / loss) ** POWER for name, loss in losses.items()}
        audible = {name: value if value >= AUDIBLE else 0.0 for name, value in raw.items()}
        total = sum(audible.values())
        return {name: audible.get(name, 0.0) / total for name in names}

    def score(self) -> ForecastScore | None:
        """Forgetting means of the pool and of last value over all origins so far; None before the first."""
        if not self.origins:
            return None
        seasonal = self._seasonal.loss / self._seasonal.reference if self._seasonal.reference > 0 else None
        return ForecastScore(self._pooled / self._mass, self._last_value / self._mass, self.origins, seasonal)

    def _has_won(self, name: str) -> bool:
        """Whether a tier has forecast often enough, and better than every tier that is not on probation."""
        rivals = [self._loss(rival) for rival in self._tallies if rival not in self.probation]
        return self._tallies[name].mass >= PROBATION and self._loss(name) < min(rivals)

    def _enter(self, tallies: dict[str, _Tally], losses: Mapping[str, float], keep: float) -> None:
        for name, loss in losses.items():
            tallies.setdefault(name, _Tally()).add(loss, losses[self.reference], keep)

    def _loss(self, name: str) -> float:
        """The tier's loss over the reference tier's; positive."""
        crps, peak = (self._relative(tallies, name) for tallies in (self._tallies, self._peaks))
        return float(crps ** (1.0 - PEAKED) * peak**PEAKED)

    def _relative(self, tallies: Mapping[str, _Tally], name: str) -> float:
        """One kind of loss over the reference tier's on the same origins, drawn towards 1 by the prior; positive."""
        tally, reference = tallies.get(name), tallies.get(self.reference)
        if tally is None or reference is None:
            return 1.0
        typical = max(reference.loss / reference.mass, self._last_value / self._mass * NEGLIGIBLE, 0.0)
        prior = PRIOR * typical
        # The fair CRPS of a lucky stretch can be negative; no tier may earn an infinite weight.
        return (max(tally.loss, 0.0) + prior + 1e-300) / (max(tally.reference, 0.0) + prior + 1e-300)
