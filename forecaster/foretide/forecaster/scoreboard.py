"""Which tier has earned how much: CRPS of matured forecasts, with forgetting, and the pool weights that follow.

What is NOT promised: that the weights are the best ones in hindsight. They follow the scores with a delay of the
forecast's own horizon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from foretide.policies.flow import ForecastScore

POWER = 4.0
"""Weights go with (1 / CRPS)^POWER, that is exp(-POWER x log-regret): exponential weighting that no unit can change."""
PRIOR = 5.0
"""Every tier starts with this many matured forecasts that were as good as the reference tier's."""
AUDIBLE = 0.25
"""A tier that has earned less than this share of the best one's weight is scored on, but not served: at a risk of one
percent, a few paths of a wide tier would be the whole decision."""
NEGLIGIBLE = 1e-12


@dataclass(slots=True)
class _Tally:
    """Forgetting sums of one tier's CRPS and, on the same origins, of the reference tier's."""

    crps: float = 0.0
    reference: float = 0.0

    def add(self, crps: float, reference: float, keep: float) -> None:
        self.crps = keep * self.crps + crps
        self.reference = keep * self.reference + reference


@dataclass(slots=True)
class Scoreboard:
    """Scores by tier. `reference` is the tier that is always there, the yardstick for those that join later."""

    reference: str
    half_life: float = 60.0
    """Matured origins after which a score counts half."""
    origins: int = 0
    _tallies: dict[str, _Tally] = field(default_factory=dict, repr=False)
    _mass: float = 0.0
    _pooled: float = 0.0
    _last_value: float = 0.0

    def add(self, *, tiers: Mapping[str, float], pooled: float, last_value: float) -> None:
        """Enters the CRPS of one matured origin: of each tier (the reference among them), the pool, last value."""
        keep = 0.5 ** (1.0 / self.half_life)
        for name, crps in tiers.items():
            self._tallies.setdefault(name, _Tally()).add(crps, tiers[self.reference], keep)
        self._mass = keep * self._mass + 1.0
        self._pooled = keep * self._pooled + pooled
        self._last_value = keep * self._last_value + last_value
        self.origins += 1

    def weights(self, names: Sequence[str]) -> dict[str, float]:
        """Shares of the named tiers; they sum to 1. Equal before anything has matured."""
        losses = {name: self._relative_loss(name) for name in names}
        best = min(losses.values())
        raw = {name: (best / loss) ** POWER for name, loss in losses.items()}
        audible = {name: value if value >= AUDIBLE else 0.0 for name, value in raw.items()}
        total = sum(audible.values())
        return {name: value / total for name, value in audible.items()}

    def score(self) -> ForecastScore | None:
        """Forgetting means of the pool and of last value over all origins so far; None before the first."""
        if not self.origins:
            return None
        return ForecastScore(self._pooled / self._mass, self._last_value / self._mass, self.origins)

    def _relative_loss(self, name: str) -> float:
        """CRPS over the reference tier's on the same origins, drawn towards 1 by the prior; positive."""
        tally, reference = self._tallies.get(name), self._tallies.get(self.reference)
        if tally is None or reference is None:
            return 1.0
        typical = max(reference.crps / self._mass, self._last_value / self._mass * NEGLIGIBLE, 0.0)
        prior = PRIOR * typical
        # The fair CRPS of a lucky stretch can be negative; no tier may earn an infinite weight.
        return (max(tally.crps, 0.0) + prior + 1e-300) / (max(tally.reference, 0.0) + prior + 1e-300)
