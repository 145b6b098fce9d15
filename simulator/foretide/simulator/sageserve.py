"""SageServe's LT-UA, or nearly: an hourly ARIMA forecast for the base count, moved towards as utilisation asks for it.

After arbiter.py, global_arbiter.py and configs/config.yaml (shashwatj07/SageServe at 0b95ca2), for one model in one
region, where its integer program is a division. Every hour: the largest forecast of the minutes 20 to 60 ahead, 10 %
added, through the capacity table. A smaller count is taken at once. A larger one is owed: one replica at a time, none
while one starts, and only while utilisation is above 0.5. Replicas beyond the count go when it is below 0.25. Between
the hours, with nothing owed, only a minute with 5 times its forecast adds a replica. Its two simpler variants are here
as well: LT-U, where instead utilisation above 0.9 does, and LT-I, which takes what is owed without looking at either.

Two things differ, both in its favour. Utilisation is running requests over what a load test found a replica to carry,
where the original takes memory: its half is far beyond what a tight TPOT allows. And with a season of history, ARIMA
models demand relative to the same minutes a season earlier; the original reads forecasts made elsewhere from a file.
What is NOT promised: spot capacity, other regions, or request classes.
"""

from dataclasses import dataclass

import numpy as np

from foretide.policies.demand import demand_history
from foretide.policies.flow import REQUESTS, DemandHistory, Floats, ServiceModel
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.predictors import NEEDED, Arima
from foretide.simulator.rivals import fewest_for
from foretide.simulator.scenario import Pace
from foretide.simulator.settings import Variant
from foretide.simulator.traffic import arrived

MINUTE_S = 60.0
FROM_MINUTE, TO_MINUTE = 20, 60
SMOOTHED = 5
"""Minutes over which an earlier season is averaged before demand is divided by it."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """SageServe's constants."""

    up_at: float = 0.5
    down_at: float = 0.25
    buffer: float = 0.1
    """Share added to the forecast."""
    surprise: float = 5.0
    """Last minute's work over its forecast above which LT-UA adds a replica out of turn."""
    emergency: float = 0.9
    """Utilisation above which LT-U does."""
    variant: Variant = "arima"
    """LT-I, LT-U or LT-UA."""
    interval_s: float = 3600.0


class SageServe:
    """The policy `sageserve`. `full` is the number of running requests per replica that counts as utilisation 1."""

    name = "sageserve"
    begins_with = None

    def __init__(
        self,
        *,
        service: ServiceModel,
        pace: Pace,
        full: float,
        min_replicas: int,
        max_replicas: int,
        thresholds: Thresholds | None = None,
        history: DemandHistory | None = None,
    ) -> None:
        self._service, self._pace, self._full = service, pace, full
        self._min, self._max = min_replicas, max_replicas
        self._at, self._history = thresholds or Thresholds(), history
        self._next_minute = self._next_hour = float("-inf")
        self._owed = 0
        self._forecast: tuple[float, Floats] | None = None

    @property
    def interval_s(self) -> float:
        return self._pace.scrape_s

    def decide(self, view: View) -> Choice:
        if view.now >= self._next_minute - 1e-6:
            self._next_minute = view.now + MINUTE_S
            self._remember(view)
            if view.now >= self._next_hour - 1e-6 and self._look_ahead(view):
                return self._hourly(view)
        if view.starting:
            return Choice(None, "ScalingInProgress", "one at a time", planned=False)
        running = view.total("running")
        if running is None or not view.ready:
            return Choice(None, "Blind", "nothing was scraped", planned=False)
        return self._between(view, running / (self._full * view.ready))

    def _remember(self, view: View) -> None:
        pace = self._pace
        self._history = demand_history(
            pods=view.samples(),
            start=view.now - 2 * (MINUTE_S + pace.step_s + pace.scrape_s),
            end=view.now,
            step=pace.step_s,
            scrape_s=pace.scrape_s,
            previous=self._history,
            expected_pods=view.ready,
            keep_s=max(2 * 86400.0, 2 * pace.season_s),
        )

    def _look_ahead(self, view: View) -> bool:
        """Forecasts work/s of the next hour's minutes; whether there was enough to forecast from."""
        minutes = per_minute(self._history, self._service) if self._history else np.empty(0)
        if len(minutes) < NEEDED:
            return False
        self._forecast = (view.now, look_ahead(minutes, season=round(self._pace.season_s / MINUTE_S)))
        self._next_hour = view.now + self._at.interval_s
        return True

    def _hourly(self, view: View) -> Choice:
        ahead = self._forecast[1] if self._forecast else np.zeros(TO_MINUTE)
        peak = (1.0 + self._at.buffer) * float(ahead[FROM_MINUTE:TO_MINUTE].max())
        base = max(self._min, fewest_for(peak, capacity=self._service.capacity, most=self._max))
        self._owed = max(0, base - view.desired)
        text = f"{peak:.2f} work/s at most in the hour: {base} replicas, {self._owed} owed"
        return Choice(base if base < view.desired else None, "Hourly", text)

    def _between(self, view: View, used: float) -> Choice:
        text = f"utilisation {used:.0%}, {self._owed} owed"
        at_once = self._at.variant == "immediate"
        if self._owed == 0 and not at_once and self._out_of_turn(view, used):
            return self._move(view, 1, "Surprise", text)
        if self._owed > 0 and (at_once or used > self._at.up_at):
            return self._move(view, 1, "Utilisation", text)
        if self._owed < 0 and used < self._at.down_at:
            return self._move(view, -1, "Utilisation", text)
        return Choice(None, "Steady", text, planned=False)

    def _move(self, view: View, by: int, code: str, text: str) -> Choice:
        wanted = view.desired + by
        if not self._min <= wanted <= self._max:
            return Choice(None, "Bounded", text, planned=False)
        self._owed -= by
        return Choice(wanted, code, text, planned=False)

    def _out_of_turn(self, view: View, used: float) -> bool:
        return used > self._at.emergency if self._at.variant == "utilization" else self._surprised(view)

    def _surprised(self, view: View) -> bool:
        """Whether the last minute's work is far above what was forecast for it."""
        traffic = arrived(view, window_s=MINUTE_S, pace=self._pace) if self._forecast else None
        if self._forecast is None or traffic is None:
            return False
        made_at, ahead = self._forecast
        minute = min(len(ahead) - 1, int((view.now - made_at) / MINUTE_S))
        return float(self._service.work.of(traffic.row)) > self._at.surprise * float(ahead[minute])


def per_minute(history: DemandHistory, service: ServiceModel) -> Floats:
    """Work/s by minute, up to the end of the history; gaps are bridged by straight lines."""
    work = service.work.of(history.values)
    known = np.isfinite(history.values[:, REQUESTS])
    if not known.any():
        return np.empty(0)
    index = np.arange(len(work))
    filled = np.interp(index, index[known], work[known])
    if history.step > MINUTE_S:
        return np.repeat(filled, round(history.step / MINUTE_S))
    rows = max(1, round(MINUTE_S / history.step))
    whole = len(filled) // rows
    return np.asarray(filled[len(filled) - whole * rows :].reshape(whole, rows).mean(axis=1), dtype=np.float64)


def look_ahead(minutes: Floats, *, season: int) -> Floats:
    """ARIMA's next TO_MINUTE minutes, (TO_MINUTE,); of demand relative to the season before where that is known."""
    usual = _usual(minutes, season)
    model = Arima()
    past = minutes if usual is None else minutes[season:] / usual[: len(minutes) - season]
    for value in past:
        model.add(float(value))
    ahead = model.predict(TO_MINUTE)
    found = np.zeros(TO_MINUTE) if ahead is None else ahead
    return found if usual is None else found * usual[len(minutes) - season :][:TO_MINUTE]


def _usual(minutes: Floats, season: int) -> Floats | None:
    """Smoothed demand a season before each minute from the second season on, and before the TO_MINUTE to come.

    None with less than a season and NEEDED minutes. Shape (len(minutes) - season + TO_MINUTE,).
    """
    if len(minutes) < season + NEEDED:
        return None
    width = np.ones(SMOOTHED)
    smooth = np.convolve(minutes, width, mode="same") / np.convolve(np.ones(len(minutes)), width, mode="same")
    smooth = np.maximum(smooth, 1e-3 * max(float(smooth.mean()), 1e-9))
    index = np.arange(len(minutes) - season + TO_MINUTE)
    # A season shorter than the hour ahead repeats itself.
    return np.asarray(smooth[np.where(index < len(smooth), index, index - season * -(-TO_MINUTE // season))])
