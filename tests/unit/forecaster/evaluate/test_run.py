import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from foretide.forecaster.evaluate.baselines.catalogue import ENTRIES, Entry
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.evaluate.protocol import Protocol, Scale
from foretide.forecaster.evaluate.run import LooksAhead, compared
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

Made = Callable[..., Series]
TERMS = Protocol(context=48, horizon=3, paths=64)


@dataclass(frozen=True)
class Teller:
    """Knows the mean that the series was made with; tells how it was fitted."""

    name: str = "teller"
    fits: tuple[int, ...] = ()
    ahead: int = 0
    broken: float = 1.0

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        SEEN.append((rows, seed))
        return _Told(self.ahead, self.broken)


SEEN: list[tuple[int, int]] = []


@dataclass(frozen=True)
class _Told:
    ahead: int
    broken: float

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        rows = origins[:, None] + np.arange(horizon)
        mean = 20 * (1 + 0.7 * np.sin(2 * np.pi * rows * series.step_s / 86400))
        drawn = rng.poisson(mean[:, None, :, None], (len(origins), count, horizon, 1)).astype(np.float64)
        peeked = series.values[origins, 0] if self.ahead else np.zeros(len(origins))
        return (drawn + peeked[:, None, None, None]) * self.broken


def entry(**options: float) -> Entry:
    return Entry("teller", lambda: Teller(**options), learns=True)  # type: ignore[arg-type]


def test_the_truth_is_calibrated_and_beats_every_rule(series: Made) -> None:
    given = series(rows=4000)
    truth = compared(series=given, entry=entry(), protocol=TERMS)["figures"]
    rules = [compared(series=given, entry=ENTRIES[name], protocol=TERMS)["figures"] for name in ("naive", "last-72")]
    assert truth["coverage80"] == pytest.approx(0.8, abs=0.05)
    assert truth["peak_q95_exceeded"] == pytest.approx(0.05, abs=0.025)
    assert all(
        truth[score] < rule[score] for rule in rules for score in ("crps", "wql", "mase", "decision_cost", "energy")
    )


def test_models_that_learn_are_fitted_on_the_way_with_every_seed(series: Made) -> None:
    SEEN.clear()
    cell = compared(series=series(rows=1000), entry=entry(), protocol=replace(TERMS, fits=2, seeds=2))
    origins = np.array_split(np.array(cell["origins"]), 2)
    rows = [int(part[0]) - 3 for part in origins]
    assert [(rows[0], 0), (rows[1], 0), (rows[0], 1), (rows[1], 1)] == SEEN
    assert len(cell["crps_by_seed"]) == 2
    assert cell["figures"]["crps"] == pytest.approx(np.mean(cell["crps_by_seed"]))


def test_a_cell_is_plain_json_and_its_parts_agree(series: Made) -> None:
    cell = compared(series=series(rows=1000), entry=ENTRIES["mixture"], protocol=TERMS)
    again = json.loads(json.dumps(cell))
    assert again["figures"]["crps"] == pytest.approx(np.mean(again["by_origin"]["crps"]), rel=1e-5)
    assert again["figures"]["wql"] == pytest.approx(np.mean(again["by_origin"]["wql"]), rel=1e-5)
    assert again["figures"]["decision_cost"] == pytest.approx(np.mean(again["by_origin"]["decision_cost"]), rel=1e-5)
    assert again["figures"]["coverage80"] == pytest.approx(np.mean(again["by_step"]["coverage80"]), rel=1e-5)
    assert len(again["fans"]) == 3
    assert sum(again["pit"]) == pytest.approx(1.0)


def test_rows_that_were_not_measured_are_not_scored(series: Made) -> None:
    given = series(rows=1000)
    holed = given.values.copy()
    holed[850:880] = np.nan
    cell = compared(series=replace(given, values=holed), entry=ENTRIES["last-72"], protocol=TERMS)
    whole = compared(series=given, entry=ENTRIES["last-72"], protocol=TERMS)
    scored = np.isfinite(cell["by_origin"]["crps"])
    origins = np.array(cell["origins"])
    assert origins[~scored].tolist() == list(range(850, 878))
    early = origins < 840
    assert np.array(cell["by_origin"]["crps"])[early].tolist() == np.array(whole["by_origin"]["crps"])[early].tolist()


def test_who_looks_ahead_gets_no_score(series: Made) -> None:
    with pytest.raises(LooksAhead, match="its paths of row 800 change when rows from 800 on do"):
        compared(series=series(rows=1000), entry=entry(ahead=1), protocol=TERMS)


def test_paths_that_are_not_finite_are_refused(series: Made) -> None:
    with pytest.raises(ValueError, match="paths are not finite"):
        compared(series=series(rows=1000), entry=entry(broken=float("nan")), protocol=TERMS)


def test_a_forecaster_of_demand_is_shown_demand_and_scored_in_the_protocols_unit(series: Made) -> None:
    """Scaled by its training rows, demand below all of them would be negative: no demand at all."""
    given = series(rows=1000)
    falling = replace(given, values=given.values + np.linspace(900, 100, 1000)[:, None])
    terms = replace(TERMS, scale=Scale.MINMAX)
    shown: list[float] = []

    @dataclass(frozen=True)
    class Last:
        name: str = "last"

        def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
            return self

        def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
            shown.append(float(series.values.min()))
            rows = series.values[origins - 1]
            return np.repeat(np.repeat(rows[:, None, None], count, axis=1), horizon, axis=2)

    cells = [
        compared(series=falling, entry=Entry("last", Last, demand=demand), protocol=terms) for demand in (True, False)
    ]
    assert min(shown) < 0 < max(shown)
    for score in ("crps", "mse", "wql", "coverage80", "energy"):
        assert cells[0]["figures"][score] == pytest.approx(cells[1]["figures"][score], rel=1e-9)
