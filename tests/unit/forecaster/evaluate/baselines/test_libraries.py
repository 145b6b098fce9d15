"""The contract of every competitor that needs somebody else's library, where that library is installed."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from foretide.forecaster.evaluate.baselines.catalogue import ENTRIES
from foretide.forecaster.evaluate.baselines.missing import NotInstalled
from foretide.forecaster.evaluate.model import Fitted, Model, Series
from foretide.forecaster.evaluate.protocol import looks_ahead
from foretide.policies.flow import Floats

pytestmark = [pytest.mark.bench, pytest.mark.filterwarnings("ignore")]
Made = Callable[..., Series]
NEEDS = {
    "flair": "flaircast",
    "auto-arima": "statsforecast",
    "mstl": "statsforecast",
    "lightgbm-quantiles": "lightgbm",
    "deepar": "gluonts",
    "patchtst": "gluonts",
    "nhits": "neuralforecast",
}
SHORT: dict[str, dict[str, Any]] = {"deepar": {"epochs": 1}, "patchtst": {"epochs": 1}, "nhits": {"steps": 4}}
"""Training cut short: what is learned is the library's affair, the seam is ours."""
ROWS, HORIZON, ORIGINS = 300, 4, (305, 330)


def model(name: str) -> Model:
    pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is not installed: make bench-env has it")
    made: Model = ENTRIES[name].opened()
    return replace(made, **SHORT[name]) if name in SHORT else made  # type: ignore[type-var]


def fitted(name: str, given: Series) -> Fitted:
    return model(name).fit(series=given, rows=ROWS, horizon=HORIZON, context=48, seed=1)


def asked(one: Fitted, given: Series, origins: tuple[int, ...] = ORIGINS) -> Floats:
    return one.paths(series=given, origins=np.array(origins), horizon=HORIZON, count=32, seed=2)


@pytest.mark.parametrize("name", NEEDS)
def test_paths_are_finite_repeatable_and_what_demand_could_be(name: str, series: Made) -> None:
    given = series(rows=340, columns=2)
    one = fitted(name, given)
    paths = asked(one, given)
    assert paths.shape == (2, 32, HORIZON, 2)
    assert np.isfinite(paths).all()
    assert paths.min() >= 0
    np.testing.assert_allclose(paths, asked(one, given), rtol=1e-5)
    spread = np.ptp(given.values, axis=0)
    inside = (paths > -spread) & (paths < given.values.max(axis=0) + 3 * spread)
    assert inside.mean() > 0.9


@pytest.mark.parametrize("name", NEEDS)
def test_nothing_is_learned_from_rows_after_the_training_rows(name: str, series: Made) -> None:
    given = series(rows=340)
    changed = given.values.copy()
    changed[ROWS:] = 1000.0 - 3 * changed[ROWS:]
    early = (ROWS - 20,)
    paths = [asked(fitted(name, each), given, early) for each in (given, replace(given, values=changed))]
    np.testing.assert_allclose(paths[0], paths[1], rtol=1e-4)


@pytest.mark.parametrize("name", NEEDS)
def test_no_forecast_sees_a_row_from_its_origin_on(name: str, series: Made) -> None:
    given = series(rows=340)
    one = fitted(name, given)
    assert looks_ahead(fitted=one, series=given, origins=np.array(ORIGINS), horizon=HORIZON, count=8) == ""


@pytest.mark.parametrize("name", NEEDS)
def test_gaps_are_no_reason_to_stop(name: str, series: Made) -> None:
    given = series(rows=340)
    holed = given.values.copy()
    holed[[5, 100, 101, 250, 304]] = np.nan
    assert np.isfinite(asked(fitted(name, given), replace(given, values=holed))).all()


@pytest.mark.parametrize("name", ["lightgbm-quantiles", "mstl"])
def test_a_day_that_repeats_is_learned(name: str, series: Made) -> None:
    given = series(rows=340)
    paths = asked(fitted(name, given), given, tuple(range(300, 336)))
    rows = np.arange(300, 336)[:, None] + np.arange(HORIZON)
    expected = 20 * (1 + 0.7 * np.sin(2 * np.pi * rows / 24))
    error = np.abs(np.median(paths, axis=1)[:, :, 0] - expected).mean()
    last = np.abs(given.values[rows[:, :1] - 1, 0] - expected).mean()
    assert error < 0.6 * last


@pytest.mark.parametrize("name", NEEDS)
def test_a_library_that_is_missing_is_named(name: str, series: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [NEEDS[name], *(each for each in sys.modules if each.startswith(f"{NEEDS[name]}."))]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(NotInstalled, match=rf"{name} needs {NEEDS[name]}.*: pip install 'foretide\[bench\]'"):
        ENTRIES[name].opened().fit(series=series(rows=340), rows=ROWS, horizon=HORIZON, context=48, seed=1)
