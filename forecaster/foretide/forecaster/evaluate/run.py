"""One model on one series: fitted, checked for looking ahead, asked at every origin, scored.

The outcome is a plain value that goes into a JSON file as it is, so that a comparison can be stopped and go on.

What is NOT promised: times that mean something on a busy machine.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from foretide.forecaster.evaluate import tally as tallies
from foretide.forecaster.evaluate.baselines.catalogue import Entry
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.evaluate.protocol import DAY_S, Protocol, lift_of, looks_ahead, scaled
from foretide.forecaster.evaluate.scores import pit_histogram
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

SHOWN = 3
"""Origins whose fan is kept for a figure."""
FAN = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


class LooksAhead(Exception):
    """The model's forecasts depend on rows that it must not see."""


@dataclass(slots=True)
class _Run:
    """One seed of one model on one series, and what it took."""

    series: Series
    """As the model is shown it: `lift` (N,) above what is scored."""
    lift: Floats
    entry: Entry
    protocol: Protocol
    seed: int
    tally: tallies.Tally = field(default_factory=tallies.Tally)
    fans: list[dict[str, Any]] = field(default_factory=list)
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    origins: int = 0

    def fitted(self, rows: int) -> Fitted:
        begun = time.perf_counter()
        fitted = self.entry.opened().fit(
            series=self.series,
            rows=rows,
            horizon=self.protocol.horizon,
            context=self.protocol.context,
            seed=self.seed,
        )
        self.fit_seconds += time.perf_counter() - begun
        return fitted

    def asked(self, fitted: Fitted, served: Indices) -> Floats:
        """The model's paths. Raises ValueError where they are not what the seam promises."""
        begun, terms = time.perf_counter(), self.protocol
        paths = fitted.paths(
            series=self.series, origins=served, horizon=terms.horizon, count=terms.paths, seed=self.seed
        )
        self.predict_seconds += time.perf_counter() - begun
        self.origins += len(served)
        expected = (len(served), terms.paths, terms.horizon, self.series.values.shape[1])
        if paths.shape != expected:
            raise ValueError(f"paths have shape {paths.shape}, not {expected}")
        if not np.isfinite(paths).all():
            raise ValueError("paths are not finite")
        return np.asarray(paths - self.lift, dtype=np.float64) if self.lift.any() else paths


def compared(*, series: Series, entry: Entry, protocol: Protocol) -> dict[str, Any]:
    """The cell of this series and model: figures, losses by origin and by step, PIT histogram, fans, times.

    Raises LooksAhead, NotInstalled, and ValueError where the series is too short.
    """
    origins = protocol.origins(len(series.values))
    train, _, _ = protocol.split(len(series.values))
    scored = scaled(series, train=train, scale=protocol.scale)
    error = tallies.seasonal_error(scored.values[:train], season=round(DAY_S / series.step_s))
    lift = lift_of(series, train=train, scale=protocol.scale) if entry.demand else np.zeros(series.values.shape[1])
    shown = replace(scored, values=scored.values + lift)
    runs = [_Run(shown, lift, entry, protocol, seed) for seed in range(protocol.seeds if entry.learns else 1)]
    for run in runs:
        _go(run, scored, origins)
    return {"group": series.group, "model": entry.name} | _told(runs, error) | _timed(series, origins)


def _told(runs: Sequence[_Run], error: Floats) -> dict[str, Any]:
    """Figures as means over seeds; what is only shown is of the first."""
    losses = [run.tally.whole() for run in runs]
    told = [tallies.figures(one, seasonal_error=error) for one in losses]
    rows = [tallies.by_origin(one) for one in losses]
    return {
        "figures": {name: float(np.mean([one[name] for one in told])) for name in told[0]} | _times(runs),
        "crps_by_seed": [one["crps"] for one in told],
        "by_origin": {name: np.mean([one[name] for one in rows], axis=0).tolist() for name in rows[0]},
        "by_step": tallies.by_step(losses[0]),
        "pit": pit_histogram(losses[0]["pit"]),
        "peak_pit": pit_histogram(losses[0]["peak_pit"]),
        "fans": runs[0].fans,
    }


def _times(runs: Sequence[_Run]) -> dict[str, float]:
    """Seconds of all fits of a seed, milliseconds of one forecast."""
    spent, origins = sum(run.predict_seconds for run in runs), sum(run.origins for run in runs)
    return {
        "fit_seconds": sum(run.fit_seconds for run in runs) / len(runs),
        "predict_ms": 1000.0 * spent / max(1, origins),
    }


def _timed(series: Series, origins: Indices) -> dict[str, Any]:
    return {
        "origins": origins.tolist(),
        "at_s": (series.start_s + origins * series.step_s).tolist(),
        "step_s": series.step_s,
    }


def _go(run: _Run, scored: Series, origins: Indices) -> None:
    """Every fit of one seed, in order of time."""
    entry, protocol, seed = run.entry, run.protocol, run.seed
    shown = origins[np.linspace(0, len(origins) - 1, SHOWN + 2).round().astype(int)[1:-1]].tolist()
    turns = protocol.turns(origins) if entry.learns else [(protocol.turns(origins)[0][0], origins)]
    for turn, (rows, served) in enumerate(turns):
        fitted = run.fitted(rows)
        paths = run.asked(fitted, served)
        if turn == seed == 0:
            _check(fitted, run.series, protocol, served)
        actual = tallies.outcomes(scored.values, origins=served, horizon=protocol.horizon)
        run.tally.add(paths=paths, actual=actual, seed=seed)
        placed = [(place, origin) for place, origin in enumerate(served.tolist()) if origin in shown]
        run.fans += [_fan(origin, paths[place], actual[place]) for place, origin in placed]


def _check(fitted: Fitted, series: Series, protocol: Protocol, served: Indices) -> None:
    few = served[[0, len(served) // 2]]
    found = looks_ahead(fitted=fitted, series=series, origins=few, horizon=protocol.horizon)
    if found:
        raise LooksAhead(found)


def _fan(origin: int, paths: Floats, actual: Floats) -> dict[str, Any]:
    """Quantiles of the first indicator (len(FAN), H), and what came."""
    return {
        "origin": origin,
        "quantiles": np.quantile(paths[:, :, 0], FAN, axis=0).round(9).tolist(),
        "actual": actual[:, 0].tolist(),
    }
