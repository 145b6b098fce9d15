"""A forecaster that looks anew only now and then while nobody asks: hundreds of idle targets are then cheap to plan.

    no request for DOZE_S, and none since the standing forecast  ->  the standing forecast, moved on
    anything else, a gap too                                     ->  a new one

While it dozes it asks for a horizon that is longer by DOZE_S, so that the moved forecast still reaches as far as was
asked. When one target looks anew is set by its name: not all of them at once.

What is NOT promised: the freshness of what the clock or the season says. It is up to DOZE_S old, and was reached for
every step ahead; that nobody came since would only have made it smaller.
"""

from dataclasses import replace
from math import floor
from zlib import crc32

from foretide.policies.flow import REQUESTS, DemandForecast, DemandHistory, Forecaster, Trust, frozen

DOZE_S = 300.0


class Dozing:
    """A `Forecaster` around another one, for one target; `name` settles when it looks."""

    def __init__(self, inner: Forecaster, *, name: str, doze_s: float = DOZE_S) -> None:
        self._inner = inner
        self._doze_s = doze_s
        self._phase_s = crc32(name.encode()) % max(1, round(doze_s))
        self._standing: tuple[DemandForecast, float] | None = None
        """The last forecast of an idle target, and the history's end that it was made at."""

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        """As `Forecaster.forecast`."""
        if not self._idle(history):
            self._standing = None
            return self._inner.forecast(history=history, horizon=horizon, paths=paths, seed=seed)
        moved = self._moved(history, horizon, paths)
        if moved is not None:
            return moved
        further = round(self._doze_s / history.step)
        made = self._inner.forecast(history=history, horizon=horizon + further, paths=paths, seed=seed)
        self._standing = (made, history.end) if made is not None and not made.flagged else None
        return None if made is None else replace(made, paths=frozen(made.paths[:, : max(1, horizon)]))

    def _idle(self, history: DemandHistory) -> bool:
        rows = max(1, round(self._doze_s / history.step))
        newest = history.values[-rows:, REQUESTS]
        return history.trust is Trust.FRESH and len(newest) == rows and bool((newest == 0.0).all())

    def _moved(self, history: DemandHistory, horizon: int, paths: int) -> DemandForecast | None:
        """The standing forecast, as seen from the history's end; None where it is time for another one."""
        if self._standing is None:
            return None
        made, at = self._standing
        steps = round((history.end - at) / history.step)
        same = made.step == history.step and len(made.paths) == paths and self._turn(history.end) == self._turn(at)
        if not same or steps < 0 or steps + horizon > made.paths.shape[1]:
            return None
        kept = frozen(made.paths[:, steps : steps + max(1, horizon)])
        return replace(made, made_at=made.made_at + steps * made.step, paths=kept)

    def _turn(self, at: float) -> int:
        return floor((at + self._phase_s) / self._doze_s)
